"""Release phases at odd moments: destroyed apps, kills, long phases of others."""

import time

from builders import make_app, make_build, make_deployment, make_release

from hythe.engine.memory import Memory, Program
from hythe.model import App, Database, Deployment, Vault, now
from hythe.names import LABEL_KIND, Names
from hythe.release.changes import ReleaseChanges
from hythe.release.stage import ReleaseStage
from hythe.run.erase import Eraser
from hythe.settings import Settings


def make(settings: Settings, database: Database, memory: Memory) -> ReleaseStage:
    vault = Vault.open(settings.key_file)
    return ReleaseStage(settings, database, memory.engine, Names("abcdef"), vault)


def push(database: Database) -> tuple[int, int]:
    with database.write() as tx:
        app = make_app(tx)
        build = make_build(tx, app, {"web": "serve", "release": "migrate"})
        deployment = Deployment(
            app_id=app.id, kind="push", status="built", build_id=build.id, created_by="test"
        )
        tx.add(deployment)
        tx.flush()
        return app.id, deployment.id


def phases(memory: Memory) -> list[str]:
    found = memory.engine.instances.list({LABEL_KIND: "release-phase"})
    return [box.state for box in found]


def wait(condition, seconds=10):  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_release_phase_of_a_destroyed_app_goes_after_a_restart(
    settings: Settings, database: Database
) -> None:
    memory = Memory()
    memory.images_add("sha256:one")
    app_id, _ = push(database)
    first = make(settings, database, memory)
    first.start()
    assert wait(lambda: phases(memory) == ["running"])
    first.stop()
    with database.write() as tx:
        tx.get_one(App, app_id).destroyed_at = now()
    second = make(settings, database, memory)
    second.start()
    try:
        gone = wait(lambda: phases(memory) == [], 4)
        Eraser(settings, database, memory.engine, Names("abcdef"), ()).erase(app_id)
        assert gone
    finally:
        second.stop()


def test_a_release_phase_that_was_left_behind_by_a_kill_is_removed(
    settings: Settings, database: Database
) -> None:
    """Killed between the commit of `rolling` and the removal of the container."""
    memory = Memory()
    memory.images_add("sha256:one")
    memory.programs[("migrate",)] = Program(code=0)
    push(database)
    first = make(settings, database, memory)
    first._phase.sweep = lambda _: None  # type: ignore[method-assign]
    first.start()
    assert wait(lambda: phases(memory) == ["exited"])
    time.sleep(0.5)
    first.stop()
    second = make(settings, database, memory)
    second.start()
    try:
        assert wait(lambda: phases(memory) == [], 3)
    finally:
        second.stop()


def test_a_deployment_that_has_the_traffic_is_not_superseded(
    settings: Settings, database: Database
) -> None:
    """It was switched to, and waits for the routers' acks."""
    memory = Memory()
    memory.images_add("sha256:one")
    vault = Vault.open(settings.key_file)
    with database.write() as tx:
        app = make_app(tx)
        first = make_deployment(tx, app, make_release(tx, vault, settings, app), "rolling")
        app.serving_id = first.id
        release = make_release(tx, vault, settings, app, version=2)
        make_deployment(tx, app, release, "built")
        first_id = first.id
    stage = make(settings, database, memory)
    stage.start()
    try:

        def status() -> str:
            with database.read() as session:
                return session.get_one(Deployment, first_id).status

        assert wait(lambda: status() != "rolling")
        assert status() == "live"
    finally:
        stage.stop()


def test_long_release_phases_do_not_hold_up_the_rollback_of_another_app(
    settings: Settings, database: Database
) -> None:
    memory = Memory()
    memory.images_add("sha256:one")
    vault = Vault.open(settings.key_file)
    with database.write() as tx:
        for number in range(5):
            app = make_app(tx, f"app{number}")
            processes = {"web": "serve"} | ({"release": "migrate"} if number < 4 else {})
            release = make_release(tx, vault, settings, app, processes=processes)
            deployment = make_deployment(tx, app, release, "built", "rollback")
            last = deployment.id
    stage = make(settings, database, memory)
    stage.start()
    try:

        def status() -> str:
            with database.read() as session:
                return session.get_one(Deployment, last).status

        assert wait(lambda: status() == "rolling", 4)
    finally:
        stage.stop()


def test_a_rollback_neither_waits_for_a_release_phase_nor_kills_it(
    settings: Settings, database: Database
) -> None:
    memory = Memory()
    memory.images_add("sha256:one")
    app_id, pushed = push(database)
    vault = Vault.open(settings.key_file)
    with database.write() as tx:
        app = tx.get_one(App, app_id)
        make_deployment(tx, app, make_release(tx, vault, settings, app))
    stage = make(settings, database, memory)
    stage.start()
    try:

        def status(deployment_id: int) -> str:
            with database.read() as session:
                return session.get_one(Deployment, deployment_id).status

        assert wait(lambda: phases(memory) == ["running"])
        with database.write() as tx:
            app = tx.get_one(App, app_id)
            back, _ = ReleaseChanges(settings, vault).rollback(tx, app, 1, "me")
        assert wait(lambda: status(back.id) == "rolling", 4)
        stage._phase.sweep(stage._is_over)
        assert (status(pushed), phases(memory)) == ("superseded", ["running"])
        with database.write() as tx:
            build = make_build(tx, app, {"web": "serve", "release": "migrate"})
            newer = make_deployment(tx, app, status="built")
            newer.build_id = build.id
            tx.poke(app_id)
        time.sleep(0.3)
        assert status(newer.id) == "built"  # one release phase of an app at a time
        memory.engine.instances.stop(memory.engine.instances.list({})[0].id, 0)
        assert wait(lambda: status(newer.id) == "releasing", 4)
        assert status(pushed) == "superseded"
    finally:
        stage.stop()


def test_an_app_whose_release_phase_ended_during_its_erasure_leaves_no_container(
    settings: Settings, database: Database
) -> None:
    memory = Memory()
    memory.images_add("sha256:one")
    app_id, _ = push(database)
    stage = make(settings, database, memory)
    stage.start()
    try:
        assert wait(lambda: phases(memory) == ["running"])
        with database.write() as tx:
            tx.get_one(App, app_id).destroyed_at = now()
        memory.engine.instances.stop(memory.engine.instances.list({})[0].id, 0)
        Eraser(settings, database, memory.engine, Names("abcdef"), ()).erase(app_id)
        assert wait(lambda: phases(memory) == [], 4)
    finally:
        stage.stop()
