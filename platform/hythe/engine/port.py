"""The container engine, in Hythe's own words: three small ports and the values they speak in.

Adapters: docker/ (a real engine), memory/ (for tests of the loop, as nasty as a real one). One
contract suite, tests/contract, passes on both. All methods block, may be called from any thread,
and raise errors.EngineError or a subclass; `EngineAway` means: try again later.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

State = Literal["created", "running", "paused", "restarting", "exited", "dead"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container may use; nought means no limit."""

    memory: int = 0  # bytes, swap included
    cpus: float = 0.0  # cores
    pids: int = 0


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of the host inside a container; build containers only."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """Everything that decides what a container is."""

    name: str
    image: str
    command: tuple[str, ...] | None = None  # None: the image's own
    entrypoint: tuple[str, ...] | None = None  # None: the image's own; (): none
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None  # None: the image's own
    workdir: str | None = None
    hostname: str | None = None
    network: str | None = None  # None: the engine's default bridge; "none": no network
    address: str | None = None  # a fixed IPv4 address in `network`
    mounts: tuple[Mount, ...] = ()
    limits: Limits = Limits()
    capabilities: tuple[str, ...] = ()  # all others are dropped
    init: bool = False  # run the engine's own small init as PID 1
    restart: bool = False  # restart after exit and after a reboot, unless stopped
    weight: int = 0  # 1 to 100: a share of the processors beside other work; 0: as all others
    sealed: bool = False  # nothing can be written but into its mounts
    stdin: bool = False  # it reads what Sessions.attach writes, and its end; else nothing
    tty: bool = False  # it has a terminal, with stdin
    size: tuple[int, int] | None = None  # of the terminal: rows, columns; some engines ignore it


@dataclass(frozen=True, slots=True)
class Container:
    """A container as the engine reports it."""

    id: str
    name: str
    image: str  # image id
    labels: Mapping[str, str]
    state: State
    exit_code: int | None = None  # of the last run, when it is not running
    oom_killed: bool = False
    restart_count: int = 0  # restarts by the engine's own policy
    started_at: float | None = None  # Unix seconds
    finished_at: float | None = None  # Unix seconds
    address: str | None = None
    pid: int | None = None  # of its first process on the host, while it runs
    log_path: Path | None = None  # the engine's JSON log file, on its host; once it was started


@dataclass(frozen=True, slots=True)
class Image:
    id: str  # sha256:...
    labels: Mapping[str, str]
    env: Mapping[str, str]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    exposed: tuple[int, ...]  # TCP ports
    user: str
    workdir: str
    size: int  # bytes
    layers: tuple[str, ...]  # diff ids, lowest first
    digests: tuple[str, ...] = ()  # NAME@sha256:..., as registries know it
    created_at: float = 0.0  # Unix seconds, as the image says: `assemble` says 1980


@dataclass(frozen=True, slots=True)
class Login:
    """Credentials for one registry."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What a commit sets in the new image's configuration; None keeps what the base has."""

    env: Mapping[str, str] | None = None
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    workdir: str | None = None
    user: str | None = None
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of an image that is put together."""

    diff_id: str  # sha256:... of its tar
    tar: Path | None  # None: the engine has it, on top of the same layers


@dataclass(frozen=True, slots=True)
class Exit:
    """How a program inside a container ended."""

    code: int
    output: str = ""


class Images(Protocol):
    def find(self, ref: str) -> Image | None:
        """The image with this reference or id on the engine, or None; never pulls."""

    def pull(self, ref: str, login: Login | None = None, say: Callable[[str], None] = ...) -> Image:
        """Fetch from the registry; `say` hears how far it is, every few seconds.

        Raises ImageMissing when the registry has none, RegistryDenied when it wants other
        credentials, RegistryAway when it does not answer.
        """

    def check_login(self, host: str, login: Login) -> None:
        """Let a registry check credentials, from where the engine stands; nothing is stored.

        Raises RegistryDenied, RegistryAway.
        """

    def load_root(self, tar: Path, ref: str, config: ImageConfig) -> Image:
        """Make an image of one layer from a tar of a root file system."""

    def commit(self, container_id: str, ref: str, config: ImageConfig) -> Image:
        """Make an image of a container's file system, with its base's configuration changed.

        The container's own command, user and labels stay out; its environment does not, so give
        variables of a build to its programs (Sessions.run), not to the container.
        """

    def assembles(self) -> bool:
        """Whether `assemble` works with the engine's image store; else commit containers."""

    def assemble(self, base: str, layers: Sequence[Layer], ref: str, config: ImageConfig) -> Image:
        """Make an image of another one and of layers on top of it, under `ref`.

        The same base, layers and configuration give the same id, whenever and however often; one
        that the engine has is only tagged. Raises EngineError when a layer without a tar is not
        there.
        """

    def build(
        self,
        context: Path,
        dockerfile: str,
        ref: str,
        labels: Mapping[str, str],
        limits: Limits,
        args: Mapping[str, str] | None = None,
        secrets: Mapping[str, Path] | None = None,
        network: str | None = None,
    ) -> Iterator[str]:
        """Build a Dockerfile (a path inside context) and yield its output lines.

        Closing the iterator, or the death of the caller's process, ends the build. Raises
        BuildError with the failing step. Limits hold for each step, unless the Dockerfile needs
        BuildKit, which has none: a line says so.

        Of `args`, proxies reach every step, others an `ARG` that names them; that keeps its value
        in the image's history, so one with a password is left out. A step of BuildKit may mount
        any of `args` but proxies, and the files of `secrets`: `RUN --mount=type=secret,id=NAME`.

        Steps run in `network`, else on the engine's default bridge; those of BuildKit always there.
        """

    def tag(self, ref: str, new_ref: str) -> None: ...

    def remove(self, ref: str) -> None:
        """Untag, and delete when nothing else refers to it; absent or in use is not an error."""

    def list(self, prefix: str) -> Sequence[str]:
        """The references (name:tag) whose name starts with prefix."""

    def layer_sizes(self, ref: str) -> tuple[int, ...]:
        """The bytes of each layer, lowest first; () when the image or its figures are not there.

        A layer that several images have, on the same layers, is stored once.
        """

    def folder(self) -> Path | None:
        """Where the engine keeps its images; None when that is no folder of this machine."""


class Instances(Protocol):
    def list(self, labels: Mapping[str, str]) -> Sequence[Container]:
        """Containers, in any state, that carry all these labels."""

    def get(self, name_or_id: str) -> Container | None: ...

    def create(self, spec: ContainerSpec) -> Container:
        """Create, without starting. A container of that name already there is returned as it is.

        Raises ImageMissing, AddressTaken, EngineLacks (no such network).
        """

    def start(self, container_id: str) -> None:
        """Start it; one that already runs is left alone. Raises AddressTaken."""

    def stop(self, container_id: str, grace: int) -> None:
        """SIGTERM, then SIGKILL after grace seconds; returns when it has stopped.

        An absent or stopped container is not an error, and the engine does not restart it.
        """

    def kill(self, container_id: str, signal: str = "SIGKILL") -> None:
        """Absent or stopped is not an error. The engine does not restart what was killed."""

    def rename(self, container_id: str, name: str) -> None:
        """Give it another name. Raises EngineLacks, or EngineError when the name is taken."""

    def pause(self, container_id: str) -> None:
        """Freeze every process in a running container until it is removed or killed."""

    def remove(self, container_id: str) -> None:
        """Kill and remove with its anonymous volumes; an absent one is not an error."""

    def wait(self, container_id: str, timeout: float) -> int | None:
        """Wait for its exit and return the code, or None after timeout seconds.

        Raises EngineLacks.
        """

    def logs(self, container_id: str, tail: int | None = None) -> Iterator[str]:
        """Lines of stdout and stderr so far, oldest first, without newline."""

    def follow(self, container_id: str) -> "Feed":
        """Lines from the start of the container on until it ends."""

    def ensure_network(
        self,
        name: str,
        bridge: str,
        subnets: Sequence[str],
        labels: Mapping[str, str],
        *,
        neighbours: bool = True,
    ) -> str:
        """Make the network unless it exists, in the first of `subnets` that is free on this host.

        Returns its subnet, such as "10.200.7.0/24". The gateway is the first address. Containers in
        it reach the internet and, as neighbours, each other; not other networks' containers.
        Raises NetworkFull when none is free.
        """

    def remove_network(self, name: str) -> None:
        """Absent is not an error."""

    def list_networks(self, labels: Mapping[str, str]) -> Sequence[str]: ...

    def isolate(self, bridge_prefix: str, host_ports: Sequence[int]) -> None:
        """Let containers on bridges named bridge_prefix* reach only these TCP ports of the host.

        Cloud metadata addresses are refused too, and whatever other machines send to containers.
        Idempotent, and to be called again after an engine or firewall restart. Raises EngineError
        when the host's firewall cannot be set.
        """

    def unisolate(self, bridge_prefix: str) -> None:
        """Take the rules away."""

    def changes(self, labels: Mapping[str, str]) -> "Feed":
        """Names of containers with these labels whenever one starts, dies or goes, until closed.

        Events may be lost; raises EngineAway when the stream breaks.
        """

    def ping(self) -> str:
        """The engine's version; raises EngineAway."""


class Feed(Iterator[str], Protocol):
    """An iterator that ends when another thread closes it."""

    def close(self) -> None: ...


class Sessions(Protocol):
    def run(
        self,
        container_id: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str = "",
        workdir: str | None = None,
    ) -> Exit:
        """Run a program in a running container and return its exit code and whole output."""

    def stream(
        self,
        container_id: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str = "",
        workdir: str | None = None,
    ) -> "Stream":
        """The same, line by line."""

    def attach(self, container_id: str) -> "Terminal":
        """The input and output of a container's own program, from now on.

        Attach before the start to miss nothing. The input of a spec with `stdin` ends when the
        first who attached leaves. Raises EngineLacks.
        """

    def open(
        self,
        container_id: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        tty: bool = False,
    ) -> "Program":
        """Run a program in a running container, as its user and in its folder, with an input.

        It goes on when the caller leaves. Raises EngineLacks, or EngineError when it does not run.
        """

    def has(self, container_id: str, path: str) -> bool:
        """Whether a created or running container has a file, folder or link at this path."""

    def put(self, container_id: str, path: str, tar: Iterator[bytes]) -> None:
        """Unpack a tar into a folder of a created or running container."""


class Terminal(Protocol):
    """A program's input and output as bytes, as they come; each method from a thread of its own."""

    def read(self) -> tuple[int, bytes]:
        """Wait for output: (1, stdout or all that a terminal shows) or (2, stderr).

        Empty bytes: the program's output has ended, or `close` was called.
        """

    def write(self, data: bytes) -> None:
        """Wait until the input has taken all; what a program does not read any more is dropped."""

    def end_input(self) -> None: ...

    def resize(self, rows: int, columns: int) -> None:
        """Raises EngineError while the program does not run."""

    def close(self) -> None:
        """Leave; the program may go on."""


class Program(Terminal, Protocol):
    def exit_code(self) -> int:
        """Valid once the output has ended."""


class Stream(Protocol):
    """A program's output as it comes; its exit code afterwards."""

    def __iter__(self) -> Iterator[str]:
        """Lines of stdout and stderr, without newline."""

    def exit_code(self) -> int:
        """Valid once the lines have ended."""


@dataclass(frozen=True)
class Engine:
    """The three ports of one engine."""

    images: Images
    instances: Instances
    sessions: Sessions
