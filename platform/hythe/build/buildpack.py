"""Buildpacks: what their folders say, and the orders in which groups are tried."""

import os
import platform
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hythe.errors import BuildError
from hythe.suite import DEFAULT, KEY, SUITES, Suite

APIS = ("0.7", "0.8", "0.9", "0.10", "0.11", "0.12")
MOUNTED = "/cnb/buildpacks"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
ARCHITECTURE = ARCHITECTURES.get(platform.machine(), platform.machine())
DISTRO = "debian"
LARGEST_TOML = 1 << 20
LARGEST_HOMEPAGE = 1000  # characters, of what goes into a label
_ID = re.compile(r"[A-Za-z0-9._/-]+")
_RESERVED = ("app", "config", "sbom")  # ids that the specification keeps for itself


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
    mounted: str = ""  # its folder in the build container
    clear_env: bool = False  # config as files only
    classic: bool = False  # bin/compile instead of bin/build
    homepage: str = ""
    pin: Mapping[str, Any] | None = None  # BuildpackPin.as_json() of a chosen one

    @property
    def key(self) -> str:
        return f"{self.id}@{self.version}"

    @property
    def escaped(self) -> str:
        """The id as the name of its folder of layers."""
        return self.id.replace("/", "_")

    def as_json(self) -> dict[str, Any]:
        """As a release names it."""
        return {"id": self.id, "version": self.version, **({"pin": self.pin} if self.pin else {})}


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
    files = sorted(folder.glob("*/buildpack.toml"))
    found = [read(file.parent, f"{MOUNTED}/{file.parent.name}") for file in files]
    with (folder / "order.toml").open("rb") as file:
        order = _order(tomllib.load(file))
    return Catalog({buildpack.id: buildpack for buildpack in found}, order)


def read(folder: Path, mounted: str, shown: str = "", suite: Suite = DEFAULT) -> Buildpack:
    """Read a Cloud Native Buildpack; raises BuildError for one that breaks the specification.

    shown: how messages name it before its id is known. suite: on which it is to run.
    """
    shown = shown or str(folder)
    document = _document(folder, shown)
    about = document.get("buildpack", {})
    identity, api = about.get("id"), str(document.get("api", ""))
    if not isinstance(identity, str) or not _ID.fullmatch(identity) or identity in _RESERVED:
        raise _bad(f"{shown}: buildpack.toml has no valid [buildpack] id: {identity!r}.")
    if api not in APIS:
        raise BuildError(
            f"{identity} needs buildpack API {api or '0.1'}; this version has {APIS[0]} to"
            f" {APIS[-1]}.",
            "Use a version of the buildpack with one of these.",
        )
    version = about.get("version", "0")
    order = _read_order(document, identity)
    if not order:
        require_programs(folder, identity, ("bin/detect", "bin/build"))
        _require_target(document.get("targets", ()), identity, suite)
    major, minor = api.split(".")
    return Buildpack(
        id=identity,
        version=str(version),
        name=str(about.get("name", identity)),
        api=(int(major), int(minor)),
        folder=folder,
        order=order,
        mounted=mounted,
        clear_env=about.get("clear-env") is True,
        homepage=str(about.get("homepage", ""))[:LARGEST_HOMEPAGE],
    )


def require_programs(folder: Path, shown: str, programs: Sequence[str]) -> None:
    """Raise BuildError unless these are files that may be executed."""
    for name in programs:
        try:
            mode = (folder / name).stat().st_mode
        except OSError:
            raise _bad(f"The buildpack {shown} has no {name}.") from None
        if not stat.S_ISREG(mode) or not mode & 0o111:
            raise BuildError(
                f"{name} of the buildpack {shown} is not executable.",
                f"In its repository: git update-index --chmod=+x {name}",
            )


def _document(folder: Path, shown: str) -> dict[str, Any]:
    fd = -1
    try:
        fd = os.open(folder / "buildpack.toml", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as file:
            document = tomllib.loads(file.read(LARGEST_TOML).decode())
    except OSError as error:
        raise _bad(f"{shown}: buildpack.toml cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(f"{shown}: buildpack.toml is not valid TOML: {error}.") from None
    if not isinstance(document.get("buildpack", {}), dict):
        raise _bad(f"{shown}: [buildpack] of buildpack.toml is not a table.")
    return document


def _require_target(targets: Any, identity: str, suite: Suite) -> None:
    """Raise BuildError unless one of the targets is the build's; none at all is any."""
    if not targets or any(_fits(target, suite) for target in targets):
        return
    wanted = ", ".join(
        " ".join(
            filter(
                None,
                [
                    target.get("os", "linux"),
                    target.get("arch", ""),
                    *(f"{d.get('name')} {d.get('version', '')}" for d in target.get("distros", ())),
                ],
            )
        )
        for target in targets
    )
    others = [each.name for each in SUITES.values() if any(_fits(one, each) for one in targets)]
    raise BuildError(
        f"{identity} is for {wanted}; this build runs on linux {ARCHITECTURE}, {DISTRO}"
        f" {suite.version}.",
        f"Choose the stack that it is for: `hythe config:set {KEY}={others[0]}`."
        if others
        else "Use a version of the buildpack for this target.",
    )


def _fits(target: Mapping[str, Any], suite: Suite) -> bool:
    distros = target.get("distros", target.get("distributions", ()))
    ours = (DISTRO, suite.version)
    return (
        target.get("os", "linux") == "linux"
        and target.get("arch", ARCHITECTURE) == ARCHITECTURE
        and (
            not distros
            or any((d.get("name", DISTRO), d.get("version", ours[1])) == ours for d in distros)
        )
    )


def _read_order(document: Mapping[str, Any], identity: str) -> Order:
    try:
        return _order(document)
    except (KeyError, TypeError, AttributeError):
        raise _bad(f"{identity}: the [[order]] of buildpack.toml names no valid group.") from None


def _order(document: Mapping[str, Any]) -> Order:
    return tuple(
        tuple(
            GroupMember(member["id"], member.get("version"), member.get("optional", False))
            for member in order["group"]
        )
        for order in document.get("order", ())
    )


def _bad(cause: str) -> BuildError:
    return BuildError(cause, "Correct the buildpack, or report this to its authors.")
