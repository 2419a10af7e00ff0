"""Buildpacks: what buildpack.toml says, and the orders in which groups are tried."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hythe.errors import BuildError, PlatformError

APIS = ("0.7", "0.8", "0.9", "0.10", "0.11", "0.12")
MOUNTED = "/cnb/buildpacks"
_ID = re.compile(r"[A-Za-z0-9._/-]+")


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A buildpack's place in an order; version None takes the one there is."""

    id: str
    version: str | None = None
    optional: bool = False


Order = tuple[tuple[GroupMember, ...], ...]


@dataclass(frozen=True, slots=True)
class Buildpack:
    """A buildpack on disk. A composite has an order and nothing to run."""

    id: str
    version: str
    name: str
    api: tuple[int, int]
    folder: Path
    order: Order = ()

    @property
    def key(self) -> str:
        return f"{self.id}@{self.version}"

    @property
    def escaped(self) -> str:
        """The id as the name of its folder of layers."""
        return self.id.replace("/", "_")

    @property
    def mounted(self) -> str:
        """Its folder in the build container."""
        return f"{MOUNTED}/{self.folder.name}"


@dataclass(frozen=True, slots=True)
class Member:
    """A buildpack in a group that is ready to be tried."""

    buildpack: Buildpack
    optional: bool


@dataclass(frozen=True, slots=True)
class Catalog:
    """The buildpacks of an installation, and the order in which they are tried."""

    buildpacks: Mapping[str, Buildpack]  # by id
    order: Order

    def find(self, member: GroupMember) -> Buildpack:
        found = self.buildpacks.get(member.id)
        if found is None or member.version not in (None, found.version):
            wanted = member.id + (f"@{member.version}" if member.version else "")
            raise BuildError(
                f"There is no buildpack {wanted}.",
                f"Choose one of: {', '.join(sorted(self.buildpacks))}.",
            )
        return found

    def groups(self) -> Iterator[tuple[Member, ...]]:
        """Every group to try, best first, with composites expanded."""
        for group in self.order:
            yield from self._expand((), group)

    def _expand(
        self, done: tuple[Member, ...], rest: Sequence[GroupMember]
    ) -> Iterator[tuple[Member, ...]]:
        """Depth first; a composite's groups are each followed by what came after the composite."""
        if not rest:
            yield done
            return
        first, tail = rest[0], rest[1:]
        buildpack = self.find(first)
        if not buildpack.order:
            known = any(member.buildpack.id == buildpack.id for member in done)
            member = Member(buildpack, first.optional)
            yield from self._expand(done if known else (*done, member), tail)
            return
        for group in buildpack.order:
            yield from self._expand(done, (*group, *tail))
        if first.optional:
            yield from self._expand(done, tail)


def catalog(folder: Path) -> Catalog:
    """Read every buildpack in a folder, and its order.toml."""
    found = [read(file.parent) for file in sorted(folder.glob("*/buildpack.toml"))]
    with (folder / "order.toml").open("rb") as file:
        order = _order(tomllib.load(file))
    return Catalog({buildpack.id: buildpack for buildpack in found}, order)


def read(folder: Path) -> Buildpack:
    """Read buildpack.toml; raises PlatformError for one that breaks the specification."""
    file = folder / "buildpack.toml"
    try:
        document = tomllib.loads(file.read_text())
        about = document["buildpack"]
        identity, version, api = about["id"], about["version"], document["api"]
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise PlatformError(f"{file} cannot be read: {error}", "Correct the file.") from None
    if api not in APIS:
        raise PlatformError(
            f"{identity} needs buildpack API {api}; this version has {APIS[0]} to {APIS[-1]}.",
            "Use a version of the buildpack with one of these.",
        )
    if not _ID.fullmatch(identity):
        raise PlatformError(
            f"{file}: '{identity}' is not a valid id.", "Use letters, digits, . _ / -"
        )
    major, minor = api.split(".")
    return Buildpack(
        id=identity,
        version=version,
        name=about.get("name", identity),
        api=(int(major), int(minor)),
        folder=folder,
        order=_order(document),
    )


def _order(document: Mapping[str, Any]) -> Order:
    return tuple(
        tuple(
            GroupMember(member["id"], member.get("version"), member.get("optional", False))
            for member in order["group"]
        )
        for order in document.get("order", ())
    )
