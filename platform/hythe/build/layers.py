"""Layers: folders that buildpacks write, and the TOML files beside them that say what they are for.

Everything here reads files that a build wrote, as a more powerful user than the build's. So nothing
follows a symbolic link, and nothing is read without bound.
"""

import os
import stat
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hythe.errors import BuildError

LARGEST_TOML = 1 << 20
LARGEST_ENV_FILE = 1 << 18


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that a buildpack made."""

    name: str
    folder: Path
    launch: bool = False
    build: bool = False
    cache: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def subfolders(self) -> frozenset[str]:
        """The names of the folders at its top."""
        return frozenset(folders(self.folder, "."))

    def env_files(self, folder: str) -> dict[str, str]:
        """The files of env, env.build, env.launch or env.launch/TYPE: name -> content."""
        return read_files(self.folder, folder)

    def folders(self, folder: str) -> list[str]:
        """The names of the folders in one of its folders: process types, in env.launch say."""
        return folders(self.folder, folder)

    def files(self, folder: str) -> list[str]:
        """The names of the files in one of its folders, in order."""
        return sorted(read_files(self.folder, folder))


def collect(folder: Path, kept: Path | None = None) -> list[Layer]:
    """The layers of one buildpack that have a type, by name; the others are set aside.

    kept: where the launch layers of its last image are, for those that it wants as they were.
    """
    layers = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        name = entry.name.removesuffix(".toml")
        if not entry.name.endswith(".toml") or name in ("launch", "build", "store"):
            continue
        document = read_toml(folder, entry.name)
        flags = [flag for flag in ("launch", "build", "cache") if flag in document]
        if flags:
            raise BuildError(
                f"{entry.name} has `{flags[0]}` at the top level.",
                "The buildpack must write it in [types].",
            )
        types = document.get("types", {})
        layer = Layer(
            name,
            folder / name,
            launch=_flag(types, "launch", entry.name),
            build=_flag(types, "build", entry.name),
            cache=_flag(types, "cache", entry.name),
            metadata=document.get("metadata", {}),
        )
        if layer.launch or layer.build or layer.cache:
            layers.append(_with_contents(layer, kept))
    return layers


def _flag(types: Any, name: str, file: str) -> bool:
    value = types.get(name, False) if isinstance(types, dict) else None
    if not isinstance(value, bool):
        raise BuildError(
            f"[types] of {file} is not what the specification says: {name} = {value!r}.",
            "Report this to the buildpack's authors.",
        )
    return value


def _with_contents(layer: Layer, kept: Path | None) -> Layer:
    """A layer with a type has its folder, or is that of the last image."""
    if _is_folder(layer.folder):
        return layer
    before = kept / layer.name if kept is not None else None
    if layer.launch and not layer.cache and before is not None and _is_folder(before):
        return replace(layer, folder=before)
    why = "" if not layer.launch else ", and the last image has none that could be taken again"
    raise BuildError(
        f"The buildpack declares the layer {layer.name}, but made no folder for it{why}.",
        "Report this to the buildpack's authors.",
    )


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def require_image_files(folder: Path, shown: str, build_only: Sequence[str]) -> None:
    """Raise BuildError for what a layer must not hold.

    Devices, pipes and sockets; links to places that are in the build container only.
    """
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            mode = path.lstat().st_mode
            where = f"{path.relative_to(folder)} in the layer {shown}"
            if stat.S_ISLNK(mode):
                target = os.path.normpath(path.readlink())
                if target.startswith(tuple(f"{place}/" for place in build_only)):
                    raise BuildError(
                        f"{where} is a link to {target}, which is not in the image.",
                        "The buildpack must copy the file, or link to one that the image has.",
                    )
            elif not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                raise BuildError(
                    f"{where} is a device, a pipe or a socket.", "The buildpack must remove it."
                )


def read_toml(root: Path, name: str) -> dict[str, Any]:
    """Parse a TOML file below root; a missing one is empty."""
    try:
        return tomllib.loads(read_inside(root, name, LARGEST_TOML).decode())
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BuildError(
            f"{name} is not valid TOML: {error}", "Report this to its authors."
        ) from None


def folders(root: Path, name: str) -> list[str]:
    """The names of the folders right in a folder below root; a missing folder has none."""
    path = root / name
    if path.is_symlink() or not path.is_dir():
        return []
    return sorted(e.name for e in os.scandir(path) if e.is_dir(follow_symlinks=False))


def read_files(root: Path, folder: str) -> dict[str, str]:
    """The regular files right in a folder below root: name -> content; none if it is missing."""
    path = root / folder
    try:
        if not stat.S_ISDIR(path.lstat().st_mode):
            return {}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {
        entry.name: read_inside(root, f"{folder}/{entry.name}", LARGEST_ENV_FILE).decode(
            errors="surrogateescape"
        )
        for entry in os.scandir(path)
        if entry.is_file(follow_symlinks=False)
    }


def write_inside(root: Path, name: str, text: str, mode: int = 0o644) -> None:
    """Write a file right in a folder that a build may write to; never through what it left there.

    Raises BuildError when something still running puts a file in its place.
    """
    path = root / name
    try:
        path.unlink(missing_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    except OSError as error:
        raise BuildError(
            f"{name} cannot be written: {error.strerror}.",
            "A program of an earlier buildpack is in the way: report this to its authors.",
        ) from None
    with os.fdopen(fd, "w") as file:
        os.fchmod(fd, mode)
        file.write(text)


def read_inside(root: Path, name: str, limit: int) -> bytes:
    """Read a regular file below root; refuses symbolic links on the way, and large files."""
    *folders, last = name.split("/")
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for folder in folders:
            inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = inner
        file = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=fd)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise BuildError(
            f"{name} cannot be read: {error.strerror}", "Write a plain file."
        ) from None
    finally:
        os.close(fd)
    with os.fdopen(file, "rb") as stream:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise BuildError(f"{name} is not a plain file.", "Write a plain file.")
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise BuildError(f"{name} has more than {limit} bytes.", "Make it smaller.")
    return data
