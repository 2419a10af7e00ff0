"""What the engine contract's tests share: a vocabulary of programs, and a kit on some engine."""

import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from images import BUSYBOX

from hythe.engine import port
from hythe.engine.memory import Program
from hythe.engine.port import Container, ContainerSpec, Engine

# A small vocabulary of programs that means the same on both engines.
UP = ("sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done")
STUBBORN = ("sleep", "300")  # as PID 1 it ignores SIGTERM
FAILS = ("sh", "-c", "echo one; echo two; exit 3")
CAT = ("cat",)
PROGRAMS = {
    CAT: Program(echo=True),
    UP: Program(("up",), on_term=7),
    STUBBORN: Program(on_term=None),
    FAILS: Program(("one", "two"), code=3),
}
SUBNETS = [f"10.213.{number}.0/24" for number in range(256)]


@dataclass
class Kit:
    """An engine with the test image, and names that nobody else uses."""

    engine: Engine
    labels: dict[str, str]
    prefix: str = field(default_factory=lambda: f"hyt{secrets.token_hex(3)}")
    _serial: Iterator[int] = field(default_factory=itertools.count)

    @property
    def instances(self) -> port.Instances:
        return self.engine.instances

    def name(self) -> str:
        return f"{self.prefix}-{next(self._serial)}"

    def ref(self, tag: str = "1") -> str:
        return f"{self.prefix}/image:{tag}"

    def spec(self, command: tuple[str, ...] = UP, **fields: Any) -> ContainerSpec:
        given = {"name": self.name(), "image": BUSYBOX, "command": command, "labels": self.labels}
        return ContainerSpec(**(given | fields))

    def create(self, command: tuple[str, ...] = UP, **fields: Any) -> Container:
        return self.instances.create(self.spec(command, **fields))

    def started(self, command: tuple[str, ...] = UP, **fields: Any) -> Container:
        """A container that runs; UP has set its trap."""
        container = self.create(command, **fields)
        self.instances.start(container.id)
        if command == UP:
            assert next(self.instances.follow(container.id)) == "up"
        return self.seen(container)

    def seen(self, container: Container) -> Container:
        found = self.instances.get(container.id)
        assert found
        return found

    def network(self) -> tuple[str, str]:
        """A new network's name and subnet."""
        name, bridge = self.name(), f"{self.prefix}{next(self._serial):x}"
        return name, self.instances.ensure_network(name, bridge, SUBNETS, self.labels)

    def clean(self) -> None:
        for container in self.instances.list(self.labels):
            self.instances.remove(container.id)
        for network in self.instances.list_networks(self.labels):
            self.instances.remove_network(network)
        for ref in self.engine.images.list(self.prefix):
            self.engine.images.remove(ref)
