"""Which Python an app asks for, and which of those that there are it gets."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hythe_buildpack.report import stop

from hythe_python import source

if TYPE_CHECKING:
    from hythe_python.constraint import Constraint

FILES = (".python-version", "runtime.txt")
MISSPELT = (
    ".python_version", "python-version", "python_version", ".pythonversion", ".python-versions",
    ".python-version.txt", "runtimes.txt", "runtime.text", "Runtime.txt", "runtime",
)  # fmt: skip
# The month of the last security fix, from the release schedules (PEP 373, 494, ..., 619).
END_OF_LIFE = {
    "2.7": "April 2020", "3.5": "September 2020", "3.6": "December 2021", "3.7": "June 2023",
    "3.8": "October 2024", "3.9": "October 2025", "3.10": "October 2026",
}  # fmt: skip
# Debian's own Python on each stack, which needs no download.
STACKS = {"bookworm": "3.11", "trixie": "3.13"}
_VERSION = re.compile(r"(?:c?python-?)?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.\*)?")


@dataclass(frozen=True)
class Asked:
    """What a file asks for: numbers, such as ("3", "12"), or a constraint."""

    place: str  # .python-version, `requires-python` in pyproject.toml
    text: str
    numbers: tuple[str, ...] = ()
    constraint: "Constraint | None" = None

    def allows(self, version: str) -> bool:
        if self.constraint is not None:
            return self.constraint.allows(version)
        return tuple(version.split(".")[: len(self.numbers)]) == self.numbers


def asked(app: Path) -> Asked | None:
    """The first that says something; stops at a misspelt file or at text that is no version."""
    _refuse_misspelt(app)
    return next(_all(app), None)


def choose(asked: Asked | None, stack: str, others: Sequence[str]) -> str | None:
    """The version to use: the stack's where it fits, else one of `others` (newest first).

    Of these it is the newest patch of the oldest supported minor version that fits: it has the most
    ready packages, and the next build chooses it too. None where nothing fits. The stack's is also
    used for another patch of the same minor version: Debian brings later security fixes into it.
    """
    if asked is None or asked.allows(stack):
        return stack
    if asked.numbers[:2] == tuple(stack.split(".")[:2]):
        return stack
    fitting = [each for each in others if minor(each) not in END_OF_LIFE and asked.allows(each)]
    return next((each for each in fitting if minor(each) == minor(fitting[-1])), None)


def refuse_old(asked: Asked) -> None:
    """Stop where a version is named that gets no security fixes any more."""
    old = ".".join(asked.numbers[:2])
    if not asked.numbers or (old not in END_OF_LIFE and int(asked.numbers[0]) > 2):
        return
    ended = END_OF_LIFE.get(old, "April 2020")
    stop(
        f"{asked.place} asks for Python {'.'.join(asked.numbers)}, whose last security fix was in"
        f" {ended}.",
        f"Write a supported version into {asked.place}, such as 3.13.",
    )


def without_download(stack: str) -> str:
    """What can always be had, for an app on the stack of this Python."""
    elsewhere = (
        f"{python} on the stack {name} (`hythe config:set BP_STACK={name}`)"
        for name, python in STACKS.items()
        if python != minor(stack)
    )
    return ", ".join((minor(stack), *elsewhere))


def minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _all(app: Path) -> Iterator[Asked]:
    """In the order in which they count. Locks repeat what their project's file says."""
    for name in FILES:
        if (app / name).is_file() and (line := _first_line(source.text(app / name))):
            yield _numbered(name, line)
    project = source.toml(app / "pyproject.toml")
    poetry = project.get("tool", {}).get("poetry", {}).get("dependencies", {})
    pipfile = source.toml(app / "Pipfile").get("requires", {})
    yield from _constrained("`requires-python` in pyproject.toml", project, "project")
    yield from _constrained("`python` in pyproject.toml", {"": poetry}, "", "python")
    for key in ("python_full_version", "python_version"):
        if pipfile.get(key):
            yield _numbered(f"`{key}` in the Pipfile", str(pipfile[key]))


def _constrained(
    place: str, document: dict[str, Any], table: str, key: str = "requires-python"
) -> Iterator[Asked]:
    value = document.get(table, {}).get(key)
    if value is None:
        return
    from hythe_python.constraint import Constraint  # it loads `packaging`: 20 ms of every build

    try:
        yield Asked(place, str(value), constraint=Constraint(str(value)))
    except ValueError:
        stop(
            f"{place} is not a version constraint: {str(value)[:60]}", 'Write one such as ">=3.11".'
        )


def _numbered(place: str, text: str) -> Asked:
    match = _VERSION.fullmatch(text)
    if match is None:
        stop(
            f"{place} does not name a Python version: {text[:60]}",
            f"Write a version such as 3.13 into {place}.",
        )
    return Asked(place, text, tuple(part for part in match.groups() if part))


def _first_line(text: str) -> str | None:
    """The first line that says something."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return next((line for line in lines if line), None)


def _refuse_misspelt(app: Path) -> None:
    for name in MISSPELT:
        file = app / name
        if file.is_file() and _VERSION.fullmatch(
            _first_line(file.read_text(errors="replace")) or ""
        ):
            right = FILES[1] if name.lower().startswith("runtime") else FILES[0]
            stop(f"There is {name}, which nothing reads.", f"Rename it: git mv {name} {right}")
