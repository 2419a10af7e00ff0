"""One-off runs on the memory engine: what becomes of rows, and of kills between two steps."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from builders import make_app, make_deployment, make_release
from sqlalchemy import select

from hythe.engine.memory import Memory, Program
from hythe.errors import EngineAway, ImageMissing
from hythe.model import App, Database, Deployment, Run, Vault, now
from hythe.names import Names
from hythe.run import oneoffs
from hythe.run.oneoffs import OneOffs
from hythe.settings import Settings

NAMES = Names("abcdef")
DONE = Program(output=("done",), code=3)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oneoffs, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(oneoffs, "SWEEP_SECONDS", 0.05)


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    memory.images_add("sha256:one")
    memory.programs[("job",)] = DONE
    return memory


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make_stage(
    settings: Settings, database: Database, memory: Memory, said: list[str]
) -> Iterator[Callable[[], OneOffs]]:
    made = []

    def make() -> OneOffs:
        stage = OneOffs(
            settings,
            database,
            memory.engine,
            NAMES,
            Vault.open(settings.key_file),
            lambda _app, instance, release, text: said.append(f"{instance} {release} {text}"),
        )
        made.append(stage)
        stage.start()
        return stage

    yield make
    for stage in made:
        stage.stop()


@pytest.fixture
def stage(make_stage: Callable[[], OneOffs]) -> OneOffs:
    return make_stage()


def add_run(database: Database, settings: Settings, command: str = "job", **values: object) -> int:
    with database.write() as tx:
        app = tx.scalar(select(App))
        if app is None:
            vault = Vault.open(settings.key_file)
            app = make_app(tx)
            release = make_release(tx, vault, settings, app, config={"KEY": "value"})
            app.serving_id = make_deployment(tx, app, release).id
        number = len(tx.scalars(select(Run)).all()) + 1
        given = {"kind": "detached", "timeout": 600, "created_by": "ada"} | values
        run = Run(
            app_id=app.id,
            deployment_id=app.serving_id,
            number=number,
            command=command,
            **given,
        )
        tx.add(run)
        tx.flush()
        tx.poke(app.id)
        return run.id


def wait(database: Database, run_id: int, state: str = "ended") -> Run:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with database.read() as session:
            run = session.get_one(Run, run_id)
        if run.state == state:
            return run
        time.sleep(0.01)
    raise AssertionError(f"{run.state}, not {state}")


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_detached_run_has_the_release_and_leaves_nothing(
    stage: OneOffs, settings: Settings, database: Database, memory: Memory, said: list[str]
) -> None:
    specs = []
    memory.programs[("job",)] = Program(output=("done",), code=None)
    run_id = add_run(database, settings, memory=64 * 1024**2, cpus=0.5)
    wait(database, run_id, "running")
    specs = [box.spec for box in memory.boxes.values()]
    assert len(specs) == 1
    assert specs[0].env["KEY"] == "value"
    assert specs[0].env["DYNO"] == specs[0].env["HYTHE_INSTANCE"] == "run.1"
    assert specs[0].labels["io.hythe.process"] == "run"
    assert specs[0].labels["io.hythe.run"] == str(run_id)
    assert (specs[0].limits.memory, specs[0].limits.cpus) == (64 * 1024**2, 0.5)
    assert specs[0].address is not None
    assert specs[0].address.endswith(".3")
    memory.exit(specs[0].name, 3)
    ended = wait(database, run_id)
    assert (ended.reason, ended.exit_code, ended.detail) == ("exited", 3, None)
    until(lambda: not memory.boxes)
    assert said == ["run.1 v1 Started by ada: job", "run.1 v1 Process exited with status 3"]


def test_runs_have_addresses_of_their_own_and_give_them_back(
    stage: OneOffs, settings: Settings, database: Database, memory: Memory
) -> None:
    memory.programs[("job",)] = Program()
    ids = [add_run(database, settings) for _ in range(3)]
    addresses = {wait(database, run_id, "running").address for run_id in ids}
    assert len(addresses) == 3
    memory.exit(NAMES.run("shop", 1, ids[0]), 0)
    first = wait(database, ids[0])
    again = wait(database, add_run(database, settings), "running")
    assert again.address == first.address


def test_a_stop_is_carried_out_with_its_reason(
    stage: OneOffs, settings: Settings, database: Database, memory: Memory
) -> None:
    memory.programs[("job",)] = Program(on_term=143)
    run_id = add_run(database, settings)
    wait(database, run_id, "running")
    ask_to_stop(database, run_id)
    ended = wait(database, run_id)
    assert (ended.reason, ended.detail, ended.exit_code) == ("stopped", "Stopped by ada.", 143)
    until(lambda: not memory.boxes)


def ask_to_stop(database: Database, run_id: int) -> None:
    with database.write() as tx:
        run = tx.get_one(Run, run_id)
        run.stop, run.detail = "stopped", "Stopped by ada."
        tx.poke(run.app_id)


def test_a_run_that_takes_too_long_is_ended(
    stage: OneOffs, settings: Settings, database: Database, memory: Memory
) -> None:
    memory.programs[("job",)] = Program()
    run_id = add_run(database, settings, timeout=1)
    ended = wait(database, run_id)
    assert (ended.reason, ended.exit_code) == ("timeout", 143)


def test_a_client_that_went_silent_takes_its_run_along(
    stage: OneOffs, settings: Settings, database: Database, memory: Memory
) -> None:
    memory.programs[("job",)] = Program()
    run_id = add_run(database, settings, kind="attached", seen_at=now())
    wait(database, run_id, "running")
    with database.write() as tx:
        tx.get_one(Run, run_id).seen_at = now() - timedelta(minutes=1)
    assert wait(database, run_id).reason == "client-gone"
    until(lambda: not memory.boxes)


def test_a_run_whose_client_never_came_is_ended_without_a_start(
    stage: OneOffs, settings: Settings, database: Database, memory: Memory
) -> None:
    run_id = add_run(database, settings, kind="attached")
    wait(database, run_id, "ready")
    with database.write() as tx:
        tx.get_one(Run, run_id).ready_at = now() - timedelta(minutes=1)
    ended = wait(database, run_id)
    assert (ended.reason, ended.started_at, ended.exit_code) == ("client-gone", None, None)
    until(lambda: not memory.boxes)


def test_what_the_engine_refuses_has_failed_with_the_cause(
    stage: OneOffs, settings: Settings, database: Database, memory: Memory
) -> None:
    memory.fail_next("create", ImageMissing())
    run_id = add_run(database, settings)
    ended = wait(database, run_id)
    assert ended.reason == "failed"
    assert "built again" in (ended.detail or "")
    with database.read() as session:
        assert session.scalars(select(Deployment.kind)).all() == ["push", "rebuild"]


def test_an_engine_that_is_away_is_waited_for(
    stage: OneOffs, settings: Settings, database: Database, memory: Memory
) -> None:
    for _ in range(3):
        memory.fail_next("create", EngineAway())
    assert wait(database, add_run(database, settings)).reason == "exited"


@pytest.mark.parametrize("operation", ["create", "start", "get", "remove"])
def test_a_control_plane_killed_between_two_steps_runs_nothing_twice(
    make_stage: Callable[[], OneOffs],
    settings: Settings,
    database: Database,
    memory: Memory,
    operation: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The call was done, and nothing was written about it."""
    memory.programs[("job",)] = DONE
    starts: list[str] = []
    really_start = memory.engine.instances.start
    monkeypatch.setattr(
        memory.engine.instances,
        "start",
        lambda name: (starts.append(name), really_start(name))[1],
    )
    first = make_stage()
    real = getattr(memory.engine.instances, operation)

    def killed(*arguments: object) -> object:
        monkeypatch.setattr(memory.engine.instances, operation, real)
        real(*arguments)
        first._stopping.set()
        raise SystemExit  # the thread is gone, with what it knew

    monkeypatch.setattr(memory.engine.instances, operation, killed)
    run_id = add_run(database, settings)
    until(first._stopping.is_set)
    first.stop()
    make_stage()
    ended = wait(database, run_id)
    assert (ended.reason, ended.exit_code) == ("exited", 3)
    assert len(starts) == 1
    until(lambda: not memory.boxes)


def test_a_container_of_no_run_is_removed(
    stage: OneOffs, settings: Settings, database: Database, memory: Memory
) -> None:
    memory.programs[("job",)] = Program()
    run_id = add_run(database, settings)
    wait(database, run_id, "running")
    with database.write() as tx:
        tx.delete(tx.get_one(Run, run_id))
    until(lambda: not memory.boxes)


def test_old_runs_are_forgotten_but_never_the_newest(
    stage: OneOffs, settings: Settings, database: Database, memory: Memory
) -> None:
    ids = [add_run(database, settings) for _ in range(2)]
    for run_id in ids:
        wait(database, run_id)
    with database.write() as tx:
        for run in tx.scalars(select(Run)):
            run.ended_at = now() - timedelta(days=31)

    def left() -> list[int]:
        with database.read() as session:
            return list(session.scalars(select(Run.id)))

    until(lambda: left() == ids[1:])


def test_a_destroyed_app_takes_its_runs_along(
    stage: OneOffs, settings: Settings, database: Database, memory: Memory
) -> None:
    memory.programs[("job",)] = Program()
    run_id = add_run(database, settings)
    app_id = wait(database, run_id, "running").app_id
    stage.forget(app_id)
    assert not memory.boxes
