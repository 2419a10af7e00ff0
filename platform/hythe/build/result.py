"""What a build hands on: to the Build row, and through it to release/ and run/."""

from dataclasses import dataclass, field
from typing import Any, Literal

from hythe.build.stack import LAUNCHER, USER

Kind = Literal["buildpacks", "dockerfile", "image"]

# What processes of Dockerfiles and images may do beyond an ordinary user; those that buildpacks
# made may do none of it.
IMAGE_CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID", "NET_BIND_SERVICE", "KILL",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """How processes of the image are started; Build.result has it as JSON."""

    kind: Kind
    launch: tuple[str, ...]  # in front of a command line, one argument; (): run its words
    init: bool = False  # the engine's init as PID 1
    user: str | None = None  # None: the image's own
    capabilities: tuple[str, ...] = ()
    exposed: tuple[int, ...] = ()
    reference: str | None = None  # NAME@sha256:... of an image that was pulled

    def as_json(self) -> dict[str, Any]:
        pulled = {"reference": self.reference} if self.reference else {}
        return pulled | {
            "kind": self.kind,
            "launch": list(self.launch),
            "init": self.init,
            "user": self.user,
            "capabilities": list(self.capabilities),
            "exposed": list(self.exposed),
        }


BUILDPACKS = ImageFacts("buildpacks", (LAUNCHER,), user=USER)


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True)
class Result:
    """A build that succeeded."""

    image: str  # id
    processes: dict[str, str]  # type -> command line; "" is the image's own
    facts: ImageFacts
    steps: list[Step] = field(default_factory=list)
    buildpacks: list[dict[str, Any]] = field(default_factory=list)  # {"id", "version", "pin"?}

    def as_json(self) -> dict[str, Any]:
        return {
            "image": self.image,
            "builder": self.facts.kind,
            "processes": self.processes,
            "result": self.facts.as_json()
            | ({"buildpacks": self.buildpacks} if self.buildpacks else {}),
            "steps": [step.as_json() for step in self.steps],
        }
