"""Which packages of an older poetry.lock belong to the main group.

Locks before Poetry 2 do not say it: they are those that the dependencies in pyproject.toml reach on
this Python.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hythe_buildpack.report import stop
from packaging.markers import InvalidMarker, Marker, default_environment
from packaging.utils import canonicalize_name

from hythe_python.constraint import Constraint

Package = dict[str, Any]


@dataclass(frozen=True)
class Edge:
    """A dependency: by name, with the constraint and the extras that it asks for."""

    name: str
    constraint: str
    extras: tuple[str, ...]


def reached(project: dict[str, Any], packages: list[Package], python: str) -> list[Package]:
    """The locked packages that the main dependencies need, in the lock's order."""
    by_name: dict[str, list[Package]] = {}
    for package in packages:
        by_name.setdefault(canonicalize_name(package["name"]), []).append(package)
    found: dict[int, Package] = {}
    seen: set[tuple[int, str]] = set()
    waiting = deque(_roots(project, python))
    while waiting:
        edge = waiting.popleft()
        package = _choose(by_name.get(edge.name, []), edge, python)
        found[id(package)] = package
        for extra in ("", *edge.extras):
            if (id(package), extra) not in seen:
                seen.add((id(package), extra))
                waiting.extend(_edges(package.get("dependencies", {}), python, extra))
    return [package for package in packages if id(package) in found]


def _roots(project: dict[str, Any], python: str) -> Iterator[Edge]:
    table = project.get("tool", {}).get("poetry", {}).get("dependencies", {})
    required = {name: value for name, value in table.items() if name != "python"}
    for name, value in required.items():
        kept = [each for each in _alternatives(value) if not each.get("optional")]
        yield from _edges({name: kept}, python, "")


def _edges(table: dict[str, Any], python: str, extra: str) -> Iterator[Edge]:
    """Those of a dependency table that apply to this Python, with one extra or none."""
    for name, value in table.items():
        for each in _alternatives(value):
            if _applies(each, python, extra):
                yield Edge(
                    canonicalize_name(name), each.get("version", "*"), tuple(each.get("extras", ()))
                )


def _alternatives(value: Any) -> list[dict[str, Any]]:
    """A dependency is written as a constraint, a table, or a list of tables."""
    values = value if isinstance(value, list) else [value]
    return [each if isinstance(each, dict) else {"version": each} for each in values]


def _applies(dependency: dict[str, Any], python: str, extra: str) -> bool:
    if "python" in dependency and not _allows(dependency["python"], python):
        return False
    if dependency.get("platform", "linux") != "linux":
        return False
    if not dependency.get("markers"):
        return True
    environment = dict(default_environment()) | {
        "python_full_version": python,
        "python_version": ".".join(python.split(".")[:2]),
        "extra": extra,
    }
    try:
        return Marker(dependency["markers"]).evaluate(environment)
    except InvalidMarker:
        stop(
            f"poetry.lock has a marker that is none: {dependency['markers'][:80]}",
            "Run `poetry lock` and commit poetry.lock.",
        )


def _choose(candidates: list[Package], edge: Edge, python: str) -> Package:
    """The locked version for an edge; several are locked where it depends on the Python."""
    if len(candidates) > 1:
        candidates = [
            each
            for each in candidates
            if _allows(each.get("python-versions", "*"), python)
            and _allows(edge.constraint, each["version"])
        ]
    if not candidates:
        stop(
            f"poetry.lock has no {edge.name} for Python {python}, which pyproject.toml needs.",
            "Run `poetry lock` and commit poetry.lock.",
        )
    return candidates[-1]


def _allows(constraint: str, version: str) -> bool:
    try:
        return Constraint(constraint).allows(version)
    except ValueError:
        return True  # what cannot be read does not decide
