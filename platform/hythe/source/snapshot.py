"""A tree of the repository, laid out as a folder: HYTHE_HOME/sources/<app>/<tree>.

The tree is surveyed before anything is written: git trees may share subtrees, so that a small push
can stand for billions of files.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hythe.errors import GitFailed, SourceError, TooLarge
from hythe.settings import Settings
from hythe.source.repository import Repository

MOST_ENTRIES = 100_000  # files and folders of one source
_LFS_HEAD = b"version https://git-lfs.github.com/spec/"
_LFS_LARGEST = 1024  # bytes; a pointer file is smaller
_NAMED = 5  # how many files a warning names
TEMPORARY = ".new-"  # followed by the process that makes it


class Objects(Protocol):
    """A repository, as far as its objects are read."""

    @property
    def path(self) -> Path: ...

    @property
    def environment(self) -> Mapping[str, str]: ...


@dataclass(slots=True)
class Survey:
    """What a tree holds, by paths relative to its root."""

    tree: str
    entries: int = 0
    size: int = 0
    links: list[str] = field(default_factory=list)
    submodules: list[str] = field(default_factory=list)
    attributes: bool = False  # whether there is any .gitattributes
    small: list[str] = field(default_factory=list)  # files that could be LFS pointers


def survey(repository: Objects, tree: str, limit: int) -> Survey:
    """List a tree; raises TooLarge when it holds more than limit bytes or too many entries."""
    found = Survey(tree)
    for record in _listing(repository, tree):
        meta, _, path = record.partition("\t")
        mode, _kind, _oid, size = meta.split()
        found.entries += 1
        found.size += 0 if size == "-" else int(size)
        if found.entries > MOST_ENTRIES:
            raise TooLarge(f"The source holds more than {MOST_ENTRIES} files and folders.")
        if found.size > limit:
            raise TooLarge(f"The files are over the limit of {limit / 2**20:.1f} MiB.")
        if mode == "120000":
            found.links.append(path)
        elif mode == "160000":
            found.submodules.append(path)
        elif mode == "100644" and 0 < int(size) <= _LFS_LARGEST:
            found.small.append(path)
            found.attributes |= path.rpartition("/")[2] == ".gitattributes"
    return found


def temporary() -> str:
    """How the names of this process's half-made folders begin."""
    return f"{TEMPORARY}{os.getpid()}-"


@contextmanager
def locked(settings: Settings, app_id: int) -> Iterator[None]:
    """Hold the lock of an app's snapshots: between threads, and between control planes."""
    path = lock_file(settings, app_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def lock_file(settings: Settings, app_id: int) -> Path:
    return settings.home / "sources" / f"{app_id}.lock"


def folder(settings: Settings, app_id: int) -> Path:
    """The folder of an app's snapshots."""
    return settings.home / "sources" / str(app_id)


def lay_out(repository: Repository, found: Survey, root: Path) -> Path:
    """Make the folder of a tree under root, if it is not there; return it.

    Raises SourceError for a link that leads out of the tree, or a name that cannot be written.
    """
    final = root / found.tree
    if final.exists():
        return final
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=temporary(), dir=root) as made:
        files = Path(tempfile.mkdtemp(dir=made))  # a name that no link can hold
        files.chmod(0o755)
        _check_out(repository, found.tree, files)
        for link in found.links:
            if leads_out(files, link):
                raise SourceError(
                    f"The link {link} points outside of the source.",
                    "Remove the link, or let it point to a file of the source by a relative path.",
                )
        files.rename(final)
    return final


def leads_out(root: Path, link: str) -> bool:
    """Whether a symbolic link under root, given by its relative path, points out of root."""
    if (root / link).readlink().is_absolute():
        return True
    return not Path(os.path.realpath(root / link)).is_relative_to(os.path.realpath(root))


def warnings(found: Survey, files: Path) -> Iterator[str]:
    """What the pusher should know about files that git does not carry."""
    if found.submodules:
        yield (
            f"Submodules stay empty, git does not push their files: {_some(found.submodules)}\n"
            "Commit the files themselves, or install them as a dependency."
        )
    pointers = lfs_pointers(found, files)
    if pointers:
        yield (
            f"Git LFS pointers, not the files that they stand for: {pointers}\n"
            "Commit the files without LFS, or upload the folder with `hythe deploy`."
        )


def lfs_pointers(found: Survey, files: Path) -> str:
    """The names of files that stand for others, which LFS keeps elsewhere; empty when none do."""
    suspects = found.small if found.attributes else []
    return _some([path for path in suspects if _is_lfs_pointer(files / path)])


def retire(root: Path, keep: Iterable[str]) -> Path:
    """Move the snapshots of an app, but those of some trees, into a folder to be removed."""
    kept = set(keep)
    retired = Path(tempfile.mkdtemp(prefix=temporary(), dir=root))
    for old in root.iterdir():
        if old.name not in kept and not old.name.startswith(TEMPORARY):
            old.rename(retired / old.name)
    return retired


def sweep(settings: Settings) -> None:
    """Remove what a killed control plane left half made; another one may be at work."""
    for left in (settings.home / "sources").glob(f"*/{TEMPORARY}*"):
        pid = left.name.removeprefix(TEMPORARY).partition("-")[0]
        if pid == str(os.getpid()) or not Path("/proc", pid).exists():
            shutil.rmtree(left, ignore_errors=True)


def _listing(repository: Objects, tree: str) -> Iterator[str]:
    command = ["git", f"--git-dir={repository.path}", "ls-tree", "-r", "-t", "-z", "-l", tree]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=repository.environment
    ) as process:
        assert process.stdout is not None
        try:
            rest = b""
            while block := os.read(process.stdout.fileno(), 1 << 16):
                *records, rest = (rest + block).split(b"\0")
                yield from map(os.fsdecode, records)
        except BaseException:
            process.kill()
            raise
        if process.wait():
            raise GitFailed(f"git cannot list the tree {tree}.")


def _check_out(repository: Repository, tree: str, files: Path) -> None:
    index = files.with_name("index")
    try:
        repository.git(
            f"--work-tree={files}",
            "read-tree",
            "-u",
            "--reset",
            tree,
            extra={"GIT_INDEX_FILE": str(index)},
        )
    except GitFailed as error:
        raise SourceError(
            f"The files cannot be laid out. {error.cause}", "Rename or remove what git names."
        ) from None


def _is_lfs_pointer(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_LFS_HEAD)) == _LFS_HEAD
    except OSError:
        return False


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(paths[:_NAMED]) + more
