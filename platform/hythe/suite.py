"""The releases of Debian that apps are built and run on. Each has base images: build/stack.py."""

from dataclasses import dataclass

KEY = "BP_STACK"  # the config var with which an app chooses


@dataclass(frozen=True, slots=True)
class Suite:
    """A release of Debian."""

    name: str  # bookworm
    version: str  # 12, as targets of buildpacks name it
    python: str  # 3.11, that of its package python3

    @property
    def stack_id(self) -> str:
        """As buildpacks see it: CNB_STACK_ID, and STACK of classic ones."""
        return f"hythe-{self.name}"


SUITES = {
    each.name: each for each in (Suite("bookworm", "12", "3.11"), Suite("trixie", "13", "3.13"))
}
DEFAULT = SUITES["bookworm"]


def find(text: str) -> Suite | None:
    """A suite by its name or its stack id; None if there is no such."""
    return SUITES.get(text.strip().removeprefix("hythe-"))
