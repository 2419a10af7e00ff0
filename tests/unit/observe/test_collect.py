"""The collector on real files, with containers of the memory engine."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from builders import make_app

from hythe import names as n
from hythe.engine.memory import Memory
from hythe.engine.memory.instances import MemoryInstances
from hythe.engine.memory.world import World
from hythe.engine.port import Container, ContainerSpec, Engine
from hythe.model import App, Database
from hythe.names import Names
from hythe.observe import collect, collection, intake
from hythe.observe.collect import Collector
from hythe.observe.collection import Collection
from hythe.observe.directory import Directory
from hythe.observe.reader import LogReader
from hythe.observe.store import LogStore
from hythe.settings import Settings

IMAGE = "app:1"
COUNTED = "Error L10 (output overflow): 1 line lost"
UNKNOWN = (
    "Error L10 (output overflow): lines may be lost, since files were gone before they were read"
)

pytestmark = pytest.mark.one_database("it is about log files")


class WithFiles(MemoryInstances):
    """The memory engine's containers, with log files that a test writes."""

    def __init__(self, world: World, folder: Path) -> None:
        super().__init__(world)
        self.folder = folder

    def path(self, container_id: str) -> Path:
        return self.folder / f"{container_id}-json.log"

    def list(self, labels: Mapping[str, str]) -> Sequence[Container]:
        return [replace(c, log_path=self.path(c.id)) for c in super().list(labels)]

    def get(self, name_or_id: str) -> Container | None:
        found = super().get(name_or_id)
        return replace(found, log_path=self.path(found.id)) if found else None


class Running:
    """A collector in a thread."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self._thread = threading.Thread(target=collector.run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.collector.stop()
        self._thread.join(10)


class Machine:
    """An installation with one app, containers, their log files and a collector."""

    def __init__(self, settings: Settings, database: Database, folder: Path) -> None:
        self.settings = settings
        self.database = database
        self.names = Names("abc123")
        self.memory = Memory()
        self.memory.images_add(IMAGE)
        self.files = WithFiles(self.memory, folder)
        ports = self.memory.engine
        self.reader = LogReader(settings)
        self.running: list[Running] = []
        with database.write() as tx:
            self.app_id = make_app(tx, "shop").id
        self.directory = Directory(settings, database)
        self.directory.refresh()
        self.collection = Collection(settings, self.names, LogStore(settings))
        self.engine = self.collection.watched(
            Engine(ports.images, self.files, ports.sessions), lambda: None
        )

    def start(self) -> Running:
        engine = self.memory.engine.instances
        running = Running(Collector(self.settings.home, lambda: engine))
        self.running.append(running)
        return running

    def remove(self, container: Container) -> None:
        """As the control plane does, and the engine, with its files."""
        self.engine.instances.remove(container.id)
        for path in self.files.folder.glob(f"{container.id}*"):
            path.unlink()

    def container(self, name: str = "web.1", kind: str = "instance") -> Container:
        process, _, index = name.partition(".")
        labels = {
            **self.names.labels,
            n.LABEL_KIND: kind,
            n.LABEL_APP: str(self.app_id),
            n.LABEL_PROCESS: process,
            n.LABEL_INDEX: index,
            n.LABEL_RELEASE: "3",
            n.LABEL_DEPLOYMENT: "9",
        }
        made = self.engine.instances.create(ContainerSpec(name=name, image=IMAGE, labels=labels))
        self.engine.instances.start(made.id)
        found = self.engine.instances.get(made.id)
        assert found is not None
        return found

    def print(self, container: Container, *lines: str) -> None:
        stamp = datetime.now(UTC).isoformat()
        with self.files.path(container.id).open("a") as file:
            for text in lines:
                entry = {"log": text + "\n", "stream": "stdout", "time": stamp}
                file.write(json.dumps(entry) + "\n")

    def rotate(self, container: Container) -> None:
        path = self.files.path(container.id)
        files = [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, 9))]
        for newer, older in reversed(list(pairwise(files))):
            if newer.exists():
                newer.replace(older)
        path.touch()

    def saved_offset(self, container: Container) -> int:
        """How far the last checkpoint says that a container's log was read."""
        path = self.settings.log_dir / "checkpoint.json"
        marks = json.loads(path.read_text())["marks"] if path.exists() else {}
        return int(marks.get(container.id, {}).get("offset", 0))

    def texts(self) -> list[str]:
        return [line.text for line in self.reader.tail(self.app_id, 100_000)]

    def shows(self, *wanted: str) -> None:
        """Wait until the app's log is exactly this."""
        eventually(lambda: len(self.texts()) >= len(wanted))
        assert self.texts() == list(wanted)


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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
    assert machine.reader.tail(machine.app_id, 1)[0].source == "router"


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
