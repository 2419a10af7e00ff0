"""The collector's own process on the log files of a real engine, with the engine's own rotation."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import docker
import pytest
from builders import make_app
from docker.types import LogConfig
from images import busybox

from hythe import names as n
from hythe.engine.port import Container, Engine
from hythe.model import Database
from hythe.names import Names
from hythe.observe.collection import Collection
from hythe.observe.directory import Directory
from hythe.observe.reader import LogReader
from hythe.observe.store import LogStore
from hythe.settings import Settings

pytestmark = [pytest.mark.docker, pytest.mark.one_database("it is about log files")]

LINES = 20_000
SLOWLY = "i=0; while [ $i -lt %d ]; do seq $i $((i+499)); i=$((i+500)); sleep 0.05; done"
AT_ONCE = f"seq 0 {LINES - 1}"


class Machine:
    """What a control plane does for collection, and a collector that can be killed."""

    def __init__(
        self, settings: Settings, database: Database, engine: Engine, labels: dict[str, str]
    ) -> None:
        self.settings = settings
        self.reader = LogReader(settings)
        with database.write() as tx:
            self.app_id = make_app(tx).id
        self.names = Names(database.installation().id)
        self.directory = Directory(settings, database)
        self.directory.refresh()
        collection = Collection(settings, self.names, LogStore(settings))
        self.engine = collection.watched(engine, self.directory.refresh)
        self.start()
        self._client = docker.from_env()
        self._labels = labels

    def start(self) -> None:
        command = [sys.executable, "-m", "hythe.observe", "--home", str(self.settings.home)]
        self.collector = subprocess.Popen(command)

    def kill(self) -> None:
        self.collector.kill()
        self.collector.wait()

    def run(self, script: str, size: str = "10m") -> Container:
        """Start a container of the app that runs a script; its log files hold `size` each."""
        labels = {
            **self._labels,
            **self.names.labels,
            n.LABEL_KIND: "instance",
            n.LABEL_APP: str(self.app_id),
            n.LABEL_PROCESS: "web",
            n.LABEL_INDEX: "1",
        }
        self._client.containers.run(
            busybox(self.engine).id,
            ["sh", "-c", script],
            detach=True,
            labels=labels,
            network_mode="none",
            log_config=LogConfig(type="json-file", config={"max-size": size, "max-file": "3"}),
        )
        (found,) = self.engine.instances.list(labels)  # which announces it
        if found.log_path is None or not os.access(found.log_path, os.R_OK):
            pytest.skip("the engine's log files cannot be read by this user")
        return found

    def texts(self) -> list[str]:
        return [line.text for line in self.reader.tail(self.app_id, 200_000)]

    def close(self) -> None:
        self.collector.terminate()
        assert self.collector.wait(10) == 0
        self._client.close()


@pytest.fixture
def machine(
    settings: Settings, database: Database, engine: Engine, docker_label: dict[str, str]
) -> Iterator[Machine]:
    machine = Machine(settings, database, engine, docker_label)
    yield machine
    machine.close()


def eventually(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_all_lines_arrive_in_order_through_the_engine_s_rotation(machine: Machine) -> None:
    container = machine.run(SLOWLY % LINES, size="100k")
    assert machine.engine.instances.wait(container.id, 60) == 0
    machine.engine.instances.remove(container.id)
    assert [int(text) for text in machine.texts()] == list(range(LINES))


def test_lines_that_the_engine_throws_away_unread_are_known_to_be_missing(machine: Machine) -> None:
    container = machine.run(AT_ONCE, size="20k")
    assert machine.engine.instances.wait(container.id, 60) == 0
    machine.engine.instances.remove(container.id)
    numbers = [int(text) for text in machine.texts() if text.isdecimal()]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == LINES - 1
    if len(numbers) < LINES:
        assert any(text.startswith("Error L10") for text in machine.texts())


def test_a_container_that_is_gone_in_a_moment_leaves_its_lines(machine: Machine) -> None:
    container = machine.run("echo out; echo err >&2; printf end")
    assert machine.engine.instances.wait(container.id, 60) == 0
    machine.engine.instances.remove(container.id)
    found = {(line.stream, line.text) for line in machine.reader.tail(machine.app_id, 10)}
    assert found == {("stdout", "out"), ("stderr", "err"), ("stdout", "end")}


def test_new_lines_arrive_while_the_container_runs(machine: Machine) -> None:
    container = machine.run("echo one; exec sleep 60")
    eventually(lambda: machine.texts() == ["one"])
    machine.engine.instances.remove(container.id)


def test_a_long_line_arrives_in_one_piece(machine: Machine) -> None:
    container = machine.run("printf %040000d 7; echo; echo next")
    assert machine.engine.instances.wait(container.id, 60) == 0
    machine.engine.instances.remove(container.id)
    assert machine.texts() == ["7".zfill(40_000), "next"]


def test_a_collector_killed_in_a_flood_loses_and_repeats_nothing(machine: Machine) -> None:
    container = machine.run(SLOWLY % (2 * LINES), size="1m")
    for _ in range(3):
        seen = machine.reader.end(machine.app_id)
        eventually(lambda seen=seen: machine.reader.end(machine.app_id) > seen)
        machine.kill()
        time.sleep(0.2)
        machine.start()
    assert machine.engine.instances.wait(container.id, 60) == 0
    machine.engine.instances.remove(container.id)
    assert [int(text) for text in machine.texts()] == list(range(2 * LINES))


def test_lines_written_while_nobody_collected_arrive_later(machine: Machine) -> None:
    """A container is not removed before: its removal waits until there is a collector again."""
    eventually(lambda: machine.settings.home.joinpath("run", "collector.lock").exists())
    machine.kill()
    container = machine.run("echo late; echo r >&2")
    assert machine.engine.instances.wait(container.id, 60) == 0
    removal = threading.Thread(target=machine.engine.instances.remove, args=(container.id,))
    removal.start()
    time.sleep(0.5)
    assert machine.engine.instances.get(container.id) is not None
    assert machine.texts() == []
    machine.start()
    removal.join(20)
    assert machine.engine.instances.get(container.id) is None
    assert sorted(machine.texts()) == ["late", "r"]


def test_what_cannot_be_read_from_files_is_asked_of_the_engine(machine: Machine) -> None:
    eventually(lambda: machine.settings.home.joinpath("run", "collector.lock").exists())
    machine.kill()
    container = machine.run("echo one; exec sleep 60")
    said = machine.settings.home / "collect" / f"{container.id}.json"
    said.write_text(said.read_text().replace(str(container.log_path), "/not/on/this/machine"))
    machine.start()
    eventually(lambda: machine.texts() == ["one"])
    machine.engine.instances.remove(container.id)
