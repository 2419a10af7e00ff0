"""The working directory as a tarball, without what .gitignore leaves out."""

import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hythe.cli import git
from hythe.cli.failure import Failure

NEVER = (".venv/", "node_modules/", "__pycache__/", ".hythe/")
"""Left out even when no .gitignore says so, unless git tracks them."""


def files(folder: Path) -> list[str]:
    """Paths below the folder, relative to it, that a deploy takes; git itself reads the .gitignore.

    Outside a repository an empty one stands in, so that the same rules hold.
    """
    wanted = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    wanted += [f"--exclude={pattern}" for pattern in NEVER]
    if git.inside():
        listed = git.git(*wanted, folder=folder)
    else:
        with tempfile.TemporaryDirectory() as empty:
            git.git("init", "--quiet", "--bare", empty)
            listed = git.git(f"--git-dir={empty}", f"--work-tree={folder}", *wanted, folder=folder)
    paths = sorted({path for path in listed.split("\0") if path})
    return [path for path in paths if os.path.lexists(folder / path)]


def pack(folder: Path, into: BinaryIO) -> int:
    """Write a tar.gz of the folder's files; returns its size. Raises Failure if there are none."""
    paths = files(folder)
    if not paths:
        raise Failure("There is nothing to deploy in this folder.", "Go to your app's folder.")
    with tarfile.open(fileobj=into, mode="w:gz", compresslevel=1) as tar:
        for path in paths:
            for name in _expand(folder, path):
                tar.add(folder / name, name, recursive=False, filter=_plain)
    return into.tell()


def pack_whole(folder: Path, into: BinaryIO) -> int:
    """Write a tar.gz of a folder with all that is in it but .git; returns its size."""
    with tarfile.open(fileobj=into, mode="w:gz", compresslevel=1) as tar:
        for name in sorted(_expand(folder, ".")):
            tar.add(folder / name, name, recursive=False, filter=_plain)
    return into.tell()


def _expand(folder: Path, path: str) -> Iterator[str]:
    """The path itself, or what is in it if it is a folder: a submodule or a nested repository."""
    root = folder / path
    if root.is_symlink() or not root.is_dir():
        yield path
        return
    for parent, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name != ".git" and f"{name}/" not in NEVER)
        for name in sorted(names):
            if name != ".git":
                yield str((Path(parent) / name).relative_to(folder))


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without this machine's user names; sockets and devices stay here."""
    if not (entry.isfile() or entry.issym() or entry.islnk()):
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry
