"""What exists inside the memory engine, and how containers move from state to state."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import Any

from hythe.engine.memory.feed import MemoryFeed
from hythe.engine.memory.terminal import MemoryTerminal
from hythe.engine.port import ContainerSpec, Image, State
from hythe.errors import AddressTaken, EngineAway, EngineLacks


@dataclass(frozen=True)
class Program:
    """What a command does."""

    output: tuple[str, ...] = ()
    code: int | None = None  # None: it runs until it is stopped
    on_term: int | None = 143  # its exit code after SIGTERM; None: it ignores the signal
    echo: bool = False  # it prints what it reads, and ends when that does


@dataclass
class Box:
    """A container."""

    id: str
    spec: ContainerSpec
    image: Image
    state: State = "created"
    exit_code: int | None = None
    oom_killed: bool = False
    restart_count: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    address: str | None = None
    stopped: bool = False  # on demand: the restart policy leaves it alone
    log: list[str] = field(default_factory=list)
    terminals: list[MemoryTerminal] = field(default_factory=list)

    @property
    def labels(self) -> dict[str, str]:
        return {**self.image.labels, **self.spec.labels}


@dataclass(frozen=True)
class Network:
    subnet: IPv4Network
    bridge: str
    labels: Mapping[str, str]


class World:
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.images: dict[str, Image] = {}  # by reference
        self.layer_bytes: dict[str, int] = {}  # of layers that came as a tar
        self.boxes: dict[str, Box] = {}  # by id
        self.networks: dict[str, Network] = {}
        self.rules: dict[str, tuple[int, ...]] = {}  # host ports by bridge prefix
        self.files: dict[str, dict[str, bytes]] = {}  # put into containers, by container id
        self.feeds: list[tuple[Mapping[str, str], MemoryFeed]] = []
        self.faults: dict[str, list[Exception]] = {}
        self.late: list[tuple[Box, int]] = []
        # What a test may set at any time:
        self.clock: Callable[[], float] = time.time
        self.programs: dict[tuple[str, ...], Program] = {}  # others run until they are stopped
        self.answers: dict[str, Callable[[], int | None]] = {}  # HTTP status by address
        self.away = False  # the engine does not answer
        self.late_exits = False  # exits wait for `settle`
        self.lose_events = False
        self._serial = itertools.count(1)

    @contextmanager
    def call(self, operation: str) -> Iterator[None]:
        """One call of a port's method: whole, or failed before it did anything."""
        with self.lock:
            if self.away:
                raise EngineAway
            if waiting := self.faults.get(operation):
                raise waiting.pop(0)
            yield

    def new_id(self) -> str:
        return f"{next(self._serial):064x}"

    def add_image(self, ref: str, **fields: Any) -> Image:
        empty = Image(
            id=f"sha256:{self.new_id()}",
            labels={},
            env={},
            entrypoint=(),
            command=(),
            exposed=(),
            user="",
            workdir="",
            size=0,
            layers=(f"sha256:{self.new_id()}",),
            created_at=time.time(),
        )
        with self.lock:
            self.images[ref] = replace(empty, **fields)
            return self.images[ref]

    def image(self, ref: str) -> Image | None:
        by_id = {image.id: image for image in self.images.values()}
        return self.images.get(ref) or by_id.get(ref)

    def box(self, name_or_id: str) -> Box:
        for box in self.boxes.values():
            if name_or_id in (box.id, box.spec.name):
                return box
        raise EngineLacks(f"No such container: {name_or_id}")

    def addresses(self) -> set[str]:
        """Those that are held: by what runs, and by nothing else."""
        return {
            box.address for box in self.boxes.values() if box.state == "running" and box.address
        }

    def program(self, command: tuple[str, ...]) -> Program:
        return self.programs.get(command, Program())

    def program_of(self, box: Box) -> Program:
        return self.program(box.spec.command or box.image.command)

    def run(self, box: Box) -> None:
        """Start it or start it again. Raises AddressTaken, and then it stays as it was."""
        box.address = self._address(box.spec)
        box.state, box.exit_code, box.finished_at = "running", None, None
        box.started_at = self.clock()
        program = self.program_of(box)
        for terminal in box.terminals:
            terminal.running = True
        self.print(box, *program.output)
        self.tell(box)
        if program.code is not None:
            self.end(box, program.code)
        elif program.echo and any(terminal.ended_input for terminal in box.terminals):
            self.end(box, 0)

    def print(self, box: Box, *lines: str) -> None:
        box.log.extend(lines)
        for terminal in box.terminals:
            terminal.show("".join(f"{line}\n" for line in lines).encode())

    def end(self, box: Box, code: int) -> None:
        """Its program ends: now, or late."""
        if not self.late_exits:
            self.ended(box, code)
        elif not any(box is other for other, _ in self.late):
            self.late.append((box, code))

    def ended(self, box: Box, code: int) -> None:
        if box.state not in ("running", "restarting"):
            return
        box.state, box.exit_code, box.finished_at = "exited", code, self.clock()
        self.hang_up(box)
        self.tell(box)
        if box.spec.restart and not box.stopped:
            self._restart(box)

    def hang_up(self, box: Box) -> None:
        """Whoever is attached sees the end of the output."""
        terminals, box.terminals = box.terminals, []
        for terminal in terminals:
            terminal.end()

    def _restart(self, box: Box) -> None:
        """What ends by itself would loop for ever: `settle` lets it run once more."""
        box.restart_count += 1
        if self.program_of(box).code is not None:
            box.state = "restarting"
        else:
            self.come_back(box)

    def come_back(self, box: Box) -> None:
        """Run it again by the restart policy; it stays as it is while its address is taken."""
        with suppress(AddressTaken):
            self.run(box)

    def _address(self, spec: ContainerSpec) -> str | None:
        network = self.networks.get(spec.network or "")
        if network is None:
            return None
        held = self.addresses()
        if spec.address in held:
            raise AddressTaken(f"{spec.address} is in use.")
        gateway, *hosts = (str(host) for host in network.subnet.hosts())
        return spec.address or next(host for host in hosts if host not in held | {gateway})

    def tell(self, box: Box) -> None:
        """Something happened to the container: wake who waits, and tell who listens."""
        self.changed.notify_all()
        if self.lose_events:
            return
        for labels, feed in self.feeds:
            if labels.items() <= box.labels.items():
                feed.add(box.spec.name)

    def break_feeds(self) -> None:
        for _, feed in self.feeds:
            feed.fail(EngineAway())
        self.feeds.clear()
