"""A spare: what a build is told of the container that was started ahead for it (spares.py).

It is a file of its own since builds run in forks of the nursery, which is kept small: no database.
"""

from dataclasses import asdict, dataclass
from typing import Any

from hythe.build import stack


@dataclass(frozen=True, slots=True)
class Spare:
    """A build container that is ready, and what was known of the engine when it was started.

    A build asks for none of it again.
    """

    name: str
    id: str
    stack: stack.Stack
    assembles: bool  # engine.port.Images.assembles()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def read(cls, document: dict[str, Any]) -> "Spare":
        return cls(**document | {"stack": stack.Stack.read(document["stack"])})
