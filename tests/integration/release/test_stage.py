"""The release stage on the memory engine: built -> releasing -> rolling."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from builders import make_app, make_build, make_deployment, make_release
from sqlalchemy import select

from hythe import network
from hythe.engine.memory import Memory, Program
from hythe.errors import EngineAway
from hythe.model import (
    App,
    Build,
    ConfigVar,
    Database,
    Deployment,
    Formation,
    Release,
    Source,
    Vault,
)
from hythe.names import Names
from hythe.release.stage import ReleaseStage
from hythe.settings import Settings
from hythe.transcript import Transcript

PHASE = "python migrate.py"


@pytest.fixture
def vault(settings: Settings) -> Vault:
    return Vault.open(settings.key_file)


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    memory.images_add("sha256:one")
    return memory


@pytest.fixture
def stage(
    settings: Settings, database: Database, memory: Memory, vault: Vault
) -> Iterator[ReleaseStage]:
    stage = ReleaseStage(settings, database, memory.engine, Names("abcdef"), vault)
    stage.start()
    yield stage
    stage.stop()


def built(database: Database, app_id: int | None = None, **processes: str) -> int:
    with database.write() as tx:
        app = tx.get_one(App, app_id) if app_id else make_app(tx)
        build = make_build(tx, app, processes or {"web": "serve"})
        deployment = Deployment(
            app_id=app.id,
            kind="push",
            status="built",
            description="Deploy",
            build_id=build.id,
            created_by="test",
        )
        tx.add(deployment)
        tx.flush()
        tx.poke(app.id)
        return deployment.id


def wait_for(database: Database, deployment_id: int, *statuses: str) -> Deployment:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with database.read() as session:
            deployment = session.get_one(Deployment, deployment_id)
        if deployment.status in statuses:
            return deployment
        time.sleep(0.01)
    raise AssertionError(f"{deployment.status}, not {statuses}")


def only(database: Database, table: type[Any]) -> Any:
    with database.read() as session:
        return session.scalars(select(table)).one()


def test_a_build_becomes_v1_with_the_config_and_the_formation(
    stage: ReleaseStage, database: Database, vault: Vault
) -> None:
    with database.write() as tx:
        app = make_app(tx)
        tx.add(ConfigVar(app_id=app.id, key="A", value=vault.seal("1")))
        app_id = app.id
    wait_for(database, built(database, app_id, web="serve", worker="work"), "rolling")
    release = only(database, Release)
    assert release.version == 1
    assert vault.unseal_map(release.config) == {"A": "1"}
    with database.read() as session:
        formation = {row.process: row.quantity for row in session.scalars(select(Formation))}
    assert formation == {"web": 1, "worker": 0}


def test_the_spec_is_frozen_from_todays_settings(
    stage: ReleaseStage, database: Database, settings: Settings
) -> None:
    wait_for(database, built(database), "rolling")
    assert only(database, Release).spec["memory"] == settings.instance_memory


def test_the_release_phase_runs_once_and_its_lines_are_shown(
    stage: ReleaseStage, database: Database, memory: Memory, settings: Settings
) -> None:
    memory.programs[(PHASE,)] = Program(output=("migrating",), code=0)
    deployment = built(database, web="serve", release=PHASE)
    wait_for(database, deployment, "rolling")
    text = Transcript.of(settings, deployment).path.read_text()
    assert text.count("       migrating\n") == 1
    _until(lambda: not memory.engine.instances.list({}))


def test_a_failing_release_phase_fails_the_deployment_with_its_status(
    stage: ReleaseStage, database: Database, memory: Memory
) -> None:
    memory.programs[(PHASE,)] = Program(code=3)
    failed = wait_for(database, built(database, web="serve", release=PHASE), "failed")
    assert failed.error_code == "release-phase"
    assert "exited with 3" in (failed.error_cause or "")


def test_a_phase_that_runs_when_the_control_plane_stops_is_found_again(
    settings: Settings, database: Database, memory: Memory, vault: Vault
) -> None:
    def new_stage() -> ReleaseStage:
        stage = ReleaseStage(settings, database, memory.engine, Names("abcdef"), vault)
        stage.start()
        return stage

    first = new_stage()
    deployment = built(database, web="serve", release=PHASE)
    _until(lambda: [c for c in memory.engine.instances.list({}) if c.state == "running"])
    first.stop()
    [container] = memory.engine.instances.list({})
    memory.exit(container.name, 0)
    second = new_stage()
    wait_for(database, deployment, "rolling")
    second.stop()


def test_an_engine_that_is_away_is_waited_for(
    stage: ReleaseStage, database: Database, memory: Memory
) -> None:
    memory.programs[(PHASE,)] = Program(code=0)
    memory.fail_next("get", EngineAway())
    wait_for(database, built(database, web="serve", release=PHASE), "rolling")


def test_a_newer_release_supersedes_a_rollout(stage: ReleaseStage, database: Database) -> None:
    first = built(database)
    app_id = wait_for(database, first, "rolling").app_id
    second = built(database, app_id)
    wait_for(database, second, "rolling")
    assert wait_for(database, first, "superseded").ended_at is not None


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def about(database: Database, vault: Vault, deployment_id: int, document: dict[str, Any]) -> None:
    """Give a deployment's source an app.json, before the stage looks at it."""
    with database.write() as tx:
        build = tx.get_one(Build, tx.get_one(Deployment, deployment_id).build_id)
        source = tx.get_one(Source, build.source_id)
        source.app_json = vault.seal(json.dumps(document))


def test_app_json_applies_when_keys_and_types_first_appear(
    database: Database, vault: Vault, settings: Settings
) -> None:
    """Twice the same app.json; between the two, config and formation are changed by hand."""
    stage = ReleaseStage(settings, database, Memory().engine, Names("abcdef"), vault)
    document = {
        "env": {"GREETING": "Ahoy", "KEY": {"generator": "secret"}},
        "formation": {"web": {"quantity": 2}, "worker": {"quantity": 1}, "other": {"quantity": 9}},
        "healthchecks": {"web": [{"path": "/up", "port": 8000}]},
    }
    first = built(database, web="serve", worker="work", clock="tick")
    about(database, vault, first, document)
    stage._take(first, 1)
    with database.write() as tx:
        release = tx.scalars(select(Release)).one()
        config = vault.unseal_map(release.config)
        assert (config["GREETING"], len(config["KEY"])) == ("Ahoy", 64)
        assert (release.spec["port"], release.spec["health_path"]) == (8000, "/up")
        rows = {row.process: row for row in tx.scalars(select(Formation))}
        assert {name: row.quantity for name, row in rows.items()} == {
            "web": 2, "worker": 1, "clock": 0,
        }  # fmt: skip
        rows["worker"].quantity = 3
        tx.scalars(select(ConfigVar).where(ConfigVar.key == "GREETING")).one().value = vault.seal(
            "Hello"
        )
    assert "app.json sets GREETING, KEY" in Transcript.of(settings, first).read()[0]
    second = built(database, 1, web="serve", worker="work")
    about(database, vault, second, {**document, "formation": {"worker": {"quantity": 1}}})
    stage._take(second, 1)
    with database.read() as session:
        newest = session.scalars(select(Release).order_by(Release.version.desc())).first()
        assert newest is not None
        again = vault.unseal_map(newest.config)
        assert again == {"GREETING": "Hello", "KEY": config["KEY"]}
        quantities = {row.process: row.quantity for row in session.scalars(select(Formation))}
    assert quantities == {"web": 2, "worker": 3, "clock": 0}


def test_app_json_gets_no_more_instances_than_the_network_holds_twice(
    stage: ReleaseStage, database: Database, vault: Vault, settings: Settings
) -> None:
    with database.write() as tx:  # so that the stage sees it with its app.json only
        app = make_app(tx)
        build = make_build(tx, app, {"web": "serve", "worker": "work"})
        formation = {"web": {"quantity": 60}, "worker": {"quantity": 130}}
        source = tx.get_one(Source, build.source_id)
        source.app_json = vault.seal(json.dumps({"formation": formation}))
        deployment = Deployment(
            app_id=app.id, kind="push", status="built", build_id=build.id, created_by="test"
        )
        tx.add(deployment)
        tx.poke(app.id)
    wait_for(database, deployment.id, "rolling")
    with database.read() as session:
        quantities = {row.process: row.quantity for row in session.scalars(select(Formation))}
    assert quantities == {"web": 60, "worker": network.ROOM - 60}
    said, _ = Transcript.of(settings, deployment.id).read()
    assert f"app.json asks for worker=130; worker={network.ROOM - 60} is all" in said


@pytest.mark.parametrize("status", ["fetching", "queued"])
def test_of_a_rebuild_and_a_deployment_that_waits_the_newer_one_is_built(
    stage: ReleaseStage, database: Database, vault: Vault, settings: Settings, status: str
) -> None:
    """Only one of an app can be queued, and one that is being fetched will be."""
    with database.write() as tx:
        app = make_app(tx)
        gone = make_release(tx, vault, settings, app, image="sha256:gone")
        waiting = make_deployment(tx, app, status=status)
        rollback = make_deployment(tx, app, gone, "built", "rollback")
        other = make_app(tx, "blog")
        gone = make_release(tx, vault, settings, other, image="sha256:gone")
        outrun = make_deployment(tx, other, gone, "built", "rollback")
        newer = make_deployment(tx, other, status=status)
        tx.poke(app.id)
        ids = waiting.id, rollback.id, outrun.id, newer.id
    wait_for(database, ids[1], "queued")
    wait_for(database, ids[2], "superseded")
    with database.read() as session:
        found = [session.get_one(Deployment, each).status for each in ids]
    assert found == ["superseded", "queued", "superseded", status]
    assert f"newer rollback, d{ids[1]}" in Transcript.of(settings, ids[0]).path.read_text()
