"""The collector on real files, with containers of the memory engine."""

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from builders import make_app, make_deployment
from unit.observe.collecting import COUNTED, UNKNOWN, Machine, eventually

from hythe.model import App, Database, Deployment
from hythe.observe import collect, collection, intake
from hythe.observe.directory import Directory
from hythe.observe.line import LogFilter
from hythe.observe.store import LogStore
from hythe.observe.transcripts import Transcripts
from hythe.settings import Settings
from hythe.transcript import Transcript

pytestmark = pytest.mark.one_database("it is about log files")


@pytest.fixture
def machine(settings: Settings, database: Database, tmp_path: Path) -> Iterator[Machine]:
    folder = tmp_path / "containers"
    folder.mkdir()
    machine = Machine(settings, database, folder)
    yield machine
    for collector in machine.running:
        collector.stop()


def test_lines_of_a_container_arrive_in_the_app_s_log(machine: Machine) -> None:
    machine.start()
    container = machine.container("web.2")
    machine.print(container, "hello")
    machine.shows("hello")
    (line,) = machine.reader.tail(machine.app_id, 10)
    assert (line.instance, line.release, line.deployment) == ("web.2", "v3", 9)
    assert (line.source, line.stream) == ("app", "stdout")


def test_a_build_s_output_is_not_the_app_s(machine: Machine) -> None:
    machine.print(machine.container("build.1", kind="build"), "compiling")
    machine.print(machine.container("release.1", kind="release-phase"), "migrating")
    machine.start()
    machine.shows("migrating")


def test_rotation_loses_and_repeats_nothing(machine: Machine) -> None:
    machine.start()
    container = machine.container()
    expected: list[str] = []
    for number in range(10):
        machine.print(container, f"{number}a", f"{number}b")
        expected += [f"{number}a", f"{number}b"]
        machine.shows(*expected)
        machine.rotate(container)


def test_a_restart_of_the_collector_loses_and_repeats_nothing(machine: Machine) -> None:
    container = machine.container()
    expected: list[str] = []
    for number in range(4):
        collector = machine.start()
        machine.print(container, f"{number} while it runs")
        expected.append(f"{number} while it runs")
        machine.shows(*expected)
        collector.stop()
        machine.print(container, f"{number} while it is away")
        expected.append(f"{number} while it is away")
        if number % 2:
            machine.rotate(container)
    machine.start()
    machine.shows(*expected)


@pytest.mark.parametrize("checkpoint", ["old", "none", "broken"])
def test_a_crash_loses_and_repeats_nothing(machine: Machine, checkpoint: str) -> None:
    """Lines that were stored after the last checkpoint are read again, but not stored again."""
    container = machine.container()
    machine.print(container, "one", "same", "same")
    collector = machine.start()
    machine.shows("one", "same", "same")
    collector.stop()
    path = machine.settings.log_dir / "checkpoint.json"
    saved = path.read_text()
    collector = machine.start()
    machine.print(container, "two", "same")
    machine.shows("one", "same", "same", "two", "same")
    collector.stop()
    if checkpoint == "none":
        path.unlink()
    else:
        path.write_text(saved if checkpoint == "old" else saved[:40])
    machine.print(container, "three")
    machine.start()
    machine.shows("one", "same", "same", "two", "same", "three")


def test_a_collector_that_is_killed_again_and_again_loses_and_repeats_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "SAVE_SECONDS", 0.05)
    container = machine.container()
    expected: list[str] = []
    for round_ in range(6):
        if (child := os.fork()) == 0:
            machine.database = Database(machine.settings.database)
            machine.start()
            time.sleep(60)
            os._exit(0)
        for number in range(30):
            lines = [f"{round_}.{number}.{part} " + "x" * 200 for part in range(50)]
            machine.print(container, *lines)
            expected += lines
            if number == 15:
                eventually(lambda seen=lines[0]: seen in machine.texts())
                eventually(lambda: machine.saved_offset(container) > 0)
        if round_ % 2:
            machine.rotate(container)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    machine.start()
    machine.shows(*expected)


def test_what_a_build_prints_arrives_once_and_is_shown_when_asked_for(machine: Machine) -> None:
    with machine.database.write() as tx:
        deployment = make_deployment(tx, tx.get_one(App, machine.app_id), status="building")
    transcripts = Transcripts(machine.settings, machine.database)
    transcript = Transcript.of(machine.settings, deployment.id)
    transcript.step("Python app detected")
    transcripts.announce(deployment.id, machine.app_id)
    running = machine.start()
    machine.shows("-----> Python app detected")
    running.stop()
    (machine.settings.log_dir / "checkpoint.json").unlink()
    transcripts.announce(deployment.id, machine.app_id)  # the control plane started over, too
    machine.start()
    transcript.detail("installing")
    with machine.database.write() as tx:
        tx.get_one(Deployment, deployment.id).status = "failed"

    def forgotten() -> bool:
        transcripts.refresh()
        return not list((machine.settings.home / "collect").glob("deployment-*"))

    eventually(forgotten)
    machine.shows("-----> Python app detected", "       installing")
    (line,) = machine.reader.tail(machine.app_id, 1)
    assert (line.source, line.instance, line.deployment) == ("build", "build", deployment.id)
    assert machine.reader.tail(machine.app_id, 10, LogFilter(builds=False)) == []


def test_full_segments_are_compressed(machine: Machine) -> None:
    small = replace(machine.settings, log_bytes=1024 * 1024)
    Directory(small, machine.database).refresh()
    machine.start()
    container = machine.container()
    lines = [f"{number} " + "x" * 200 for number in range(10_000)]
    machine.print(container, *lines)
    folder = machine.settings.log_dir / "apps" / str(machine.app_id)
    machine.shows(*lines)
    eventually(lambda: len(list(folder.glob("*.log"))) == 1)
    assert len(list(folder.glob("*.log.gz"))) >= 10


def test_access_log_lines_arrive_and_are_not_repeated_after_a_crash(machine: Machine) -> None:
    path = machine.settings.log_dir / "router.log"
    line = 'at=info method=GET path="/" host={} request_id={} status=200'
    collector = machine.start()
    path.parent.mkdir(exist_ok=True)
    first, second = line.format("shop.localhost", 1), line.format("shop.localhost", 2)
    path.write_text(f"{first}\n{line.format('other.localhost', 3)}\n")
    machine.shows(first)
    collector.stop()
    (machine.settings.log_dir / "checkpoint.json").unlink()
    with path.open("a") as file:
        file.write(second + "\n")
    machine.start()
    machine.shows(first, second)
    (found,) = machine.reader.tail(machine.app_id, 1)
    assert (found.source, found.request_id) == ("router", "2")


def test_a_domain_s_lines_arrive_as_soon_as_it_is_added(machine: Machine) -> None:
    machine.start()
    with machine.database.write() as tx:
        blog = make_app(tx, "blog").id
    machine.directory.refresh()
    path = machine.settings.log_dir / "router.log"
    path.parent.mkdir(exist_ok=True)

    def arrived() -> bool:
        with path.open("a") as file:
            file.write('at=info method=GET path="/" host=blog.localhost\n')
        return bool(machine.reader.tail(blog, 1))

    eventually(arrived)


def test_a_finished_container_is_read_to_its_end_before_it_goes(machine: Machine) -> None:
    machine.start()
    container = machine.container()
    expected = [f"{number} " + "x" * 1000 for number in range(5000)]
    machine.print(container, *expected)
    machine.remove(container)
    assert machine.texts() == expected


def test_a_removal_that_could_not_wait_leaves_the_rest_to_follow(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are held open; the app's log says that lines may be missing."""
    monkeypatch.setattr(collect, "REST_SECONDS", 0.05)
    monkeypatch.setattr(collection, "LONGEST_SECONDS", 0.3)
    append = LogStore.append
    full = True

    def maybe(self: LogStore, app_id: int, lines: list[intake.LogLine]) -> None:
        if full and lines[0].source == "app":
            raise OSError(28, "No space left on device")
        append(self, app_id, lines)

    monkeypatch.setattr(LogStore, "append", maybe)
    machine.start()
    container = machine.container()
    machine.print(container, "one", "two")
    machine.remove(container)
    full = False
    machine.shows(
        "Error L11 (collector away): web.1 was removed before all of its output was stored;"
        " lines may be missing",
        "one",
        "two",
    )


def test_sources_of_containers_that_are_gone_are_closed_and_forgotten(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pause in ("TIDY_SECONDS", "SAVE_SECONDS", "KEEP_SECONDS"):
        monkeypatch.setattr(collect, pause, 0.1)
    machine.start()
    container = machine.container()
    machine.print(container, "one")
    machine.shows("one")
    machine.remove(container)
    path = machine.settings.log_dir / "checkpoint.json"
    eventually(lambda: path.exists() and list(json.loads(path.read_text())["marks"]) == ["router"])


def test_a_container_that_is_announced_late_or_again_is_not_read_twice(machine: Machine) -> None:
    """So it is after an upgrade, and when the control plane is killed before it removed it."""
    container = machine.container()
    machine.print(container, "one")
    running = machine.start()
    machine.shows("one")
    machine.collection.complete(container)
    running.stop()
    machine.collection.forget(container.id)
    machine.start()
    time.sleep(2 * collect.POLL_SECONDS)
    machine.engine.instances.list(machine.names.labels)
    machine.print(container, "two")
    machine.shows("one", "two")


def test_nothing_is_read_before_a_control_plane_has_said_which_apps_there_are(
    machine: Machine,
) -> None:
    told = machine.settings.home / "collect" / "apps.json"
    later = told.rename(told.with_suffix(".later"))
    machine.start()
    machine.print(machine.container(), "one")
    time.sleep(3 * collect.POLL_SECONDS)
    assert machine.texts() == []
    later.rename(told)
    machine.shows("one")


def test_a_home_has_one_collector(machine: Machine) -> None:
    running = machine.start()
    with pytest.raises(BlockingIOError):
        machine.start()
    running.stop()
    machine.start()


def test_lost_lines_are_counted_and_said_in_the_app_s_log(machine: Machine) -> None:
    running = machine.start()
    container = machine.container()
    machine.print(container, "one")
    machine.shows("one")
    with machine.files.path(container.id).open("a") as file:
        file.write("not an entry\n")
    machine.shows("one", COUNTED)
    machine.files.path(container.id).write_text("")
    machine.shows(
        "one",
        COUNTED,
        UNKNOWN,
    )
    assert running.collector.lost == {container.id: (1, 1)}


def test_a_full_disk_delays_lines_but_loses_none(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "REST_SECONDS", 0.05)
    full = True
    tried = 0
    append = LogStore.append

    def maybe(self: LogStore, app_id: int, lines: list[intake.LogLine]) -> None:
        nonlocal tried
        tried += 1
        if full:
            raise OSError(28, "No space left on device")
        append(self, app_id, lines)

    monkeypatch.setattr(LogStore, "append", maybe)
    machine.start()
    container = machine.container()
    machine.print(container, "one", "two")
    eventually(lambda: tried > 2)
    assert machine.texts() == []
    full = False
    machine.shows("one", "two")


def test_an_engine_that_goes_away_interrupts_nothing(machine: Machine) -> None:
    machine.start()
    container = machine.container()
    machine.print(container, "one")
    machine.shows("one")
    machine.memory.away = True
    machine.memory.break_feeds()
    machine.print(container, "two")
    machine.shows("one", "two")
    machine.memory.away = False
    machine.print(machine.container("web.2"), "three")
    machine.shows("one", "two", "three")


def test_output_without_files_is_asked_of_the_engine(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lines arrive once, through restarts of the container and of the collector."""
    monkeypatch.setattr(collect, "_readable", lambda _: False)
    running = machine.start()
    container = machine.container()
    machine.memory.log("web.1", "one")
    machine.shows("one")
    running.stop()
    machine.memory.log("web.1", "two")
    machine.start()
    machine.shows("one", "two")
    machine.memory.log("web.1", "three")
    machine.memory.exit("web.1", 0)
    machine.remove(container)
    assert machine.texts() == ["one", "two", "three"]


def test_the_log_of_an_app_that_is_gone_is_removed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "TIDY_SECONDS", 0.1)
    with machine.database.write() as tx:
        gone = make_app(tx, "gone")
    machine.directory.refresh()
    store = LogStore(machine.settings)
    store.say(machine.app_id, "web.1", "v1", "kept")
    store.say(gone.id, "web.1", "v1", "late line of an app that is gone")
    machine.start()
    with machine.database.write() as tx:
        tx.delete(tx.get_one(App, gone.id))
    assert store.apps() == {machine.app_id, gone.id}
    machine.directory.forget(gone.id)
    eventually(lambda: store.apps() == {machine.app_id})
