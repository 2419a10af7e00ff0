"""A collector beside a control plane and an engine in memory, on real log files."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from builders import make_app

from hythe import names as n
from hythe.engine.memory import Memory
from hythe.engine.memory.instances import MemoryInstances
from hythe.engine.memory.world import World
from hythe.engine.port import Container, ContainerSpec, Engine
from hythe.model import Database, Vault
from hythe.names import Names
from hythe.observe.__main__ import unseal
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
        self.vault = Vault.open(settings.key_file)
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
        running = Running(Collector(self.settings.home, lambda: engine, unseal(self.settings.home)))
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
