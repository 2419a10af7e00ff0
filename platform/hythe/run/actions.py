"""What the loop can do for an app, as values. Every one of them may be repeated."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Create:
    """Insert an instance row, with an address; `start`: and start it, like Start."""

    deployment_id: int
    process: str
    index: int
    start: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Create the container unless it exists, start it, and watch its health."""

    slot_id: int


@dataclass(frozen=True, slots=True)
class Watch:
    """Ask a starting web instance until it answers; it may be watched already."""

    slot_id: int


@dataclass(frozen=True, slots=True)
class Tend:
    """Ask an instance that is up from now on whether it is well."""

    slot_id: int


@dataclass(frozen=True, slots=True)
class MarkSick:
    """It is up and does not answer: out of the table, stopped, and started again at `until`."""

    slot_id: int
    crashes: int
    until: datetime
    said: str


@dataclass(frozen=True, slots=True)
class MarkUp:
    slot_id: int
    said: str


@dataclass(frozen=True, slots=True)
class MarkRestarted:
    """Its container ended and the engine restarts it: out of the table until it is ready again."""

    slot_id: int
    crashes: int
    restarts: int
    exit_code: int | None
    oom_killed: bool = False  # the kernel killed it for memory


@dataclass(frozen=True, slots=True)
class MarkReturned:
    """The engine was restarted and brought it back, and it answers: it stays in the table."""

    slot_id: int
    restarts: int


@dataclass(frozen=True, slots=True)
class Park:
    """It does nothing but crash: leave it stopped until `until`."""

    slot_id: int
    crashes: int
    until: datetime
    exit_code: int | None
    oom_killed: bool = False


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop the container of a parked instance, which the engine restarts."""

    slot_id: int


@dataclass(frozen=True, slots=True)
class ForgetCrashes:
    slot_id: int


@dataclass(frozen=True, slots=True)
class Drain:
    """Take it out of the table; it is stopped once its requests are done."""

    slot_id: int


@dataclass(frozen=True, slots=True)
class Stop:
    """SIGTERM, wait, SIGKILL, remove the container; then the row is gone and its address free."""

    slot_id: int


@dataclass(frozen=True, slots=True)
class RemoveStray:
    """A container of no instance row, or one that nobody can reach any more."""

    container_id: str


@dataclass(frozen=True, slots=True)
class Enter:
    """Share the app's requests with this deployment, which rolls, in another way."""

    deployment_id: int
    sharing: str  # see desired.Group
    share: int | None = None  # percent, of a canary


@dataclass(frozen=True, slots=True)
class Switch:
    """Give the traffic to this deployment."""

    deployment_id: int
    said: str = ""  # how it did as a canary


@dataclass(frozen=True, slots=True)
class Finish:
    """Every router has the table: the deployment is live."""

    deployment_id: int


@dataclass(frozen=True, slots=True)
class EndSwitch:
    """The instances before this deployment's are gone: what was counted till now is what the
    switch cost."""

    deployment_id: int


@dataclass(frozen=True, slots=True)
class Fail:
    """The rollout failed; its instances leave, the old release goes on."""

    deployment_id: int
    code: str  # H10, R10 or unhealthy
    slot_id: int
    said: str


@dataclass(frozen=True, slots=True)
class Erase:
    """Nothing is left of a destroyed app but its network, images, files and row."""


Action = (
    Create
    | Start
    | Watch
    | MarkUp
    | MarkSick
    | Tend
    | MarkRestarted
    | MarkReturned
    | Park
    | Halt
    | ForgetCrashes
    | Drain
    | Stop
    | RemoveStray
    | Switch
    | Finish
    | EndSwitch
    | Enter
    | Fail
    | Erase
)
