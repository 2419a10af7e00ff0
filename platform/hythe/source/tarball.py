"""An uploaded tarball, unpacked with distrust and written into the repository as a tree.

Every entry is checked by its name before anything of it is written; links are made last, so that
nothing is ever written through one.
"""

import gzip
import os
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, cast

from hythe.errors import BadArchive, GitFailed, TooLarge
from hythe.source.repository import Repository
from hythe.source.snapshot import MOST_ENTRIES, leads_out

_BLOCK = 1 << 16
_LARGEST_HEADER = 1 << 20  # bytes of one extended header, which tarfile reads whole
_LONGEST_PATH = 2000  # bytes; the machine's own limit is 4096, with the folder before it
_DEEPEST = 100
_BROKEN = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError)


def spool(stream: Iterable[bytes], file: BinaryIO, limit: int) -> None:
    """Write a stream to a file; raises TooLarge over limit bytes."""
    size = 0
    for chunk in stream:
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"The upload is over the limit of {limit / 2**20:.1f} MiB.")
        file.write(chunk)
    file.seek(0)


def unpack(file: BinaryIO, root: Path, limit: int) -> None:
    """Unpack a tar or tar.gz into the empty folder root.

    Raises BadArchive, which names the entry, or TooLarge over limit unpacked bytes. Entries inside
    `.git` folders are left out.
    """
    zipped = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    plain = _Plain(gzip.GzipFile(fileobj=file) if zipped else file, limit)
    unpacking = _Unpacking(root, limit)
    try:
        with tarfile.open(fileobj=cast(BinaryIO, plain), mode="r:") as archive:
            while (entry := archive.next()) is not None:
                unpacking.take(archive, entry)
                archive.members.clear()  # type: ignore[attr-defined]  # tarfile would keep every entry in memory
        while plain.read(_BLOCK):  # to the end, where gzip has its checksum
            pass
    except _BROKEN as error:
        raise BadArchive(f"The upload is not a whole tar or tar.gz file: {error}.") from None
    unpacking.finish()


def write_tree(repository: Repository, root: Path) -> str:
    """Store a folder in the repository; return its tree id, the same that git gives a commit of it.

    Next to the folder an index is left behind.
    """
    extra = {"GIT_INDEX_FILE": str(root.with_name("index")), "GIT_WORK_TREE": str(root)}
    try:
        repository.git("add", "--all", "--force", "--", ".", extra=extra, cwd=root)
        return repository.git("write-tree", extra=extra, cwd=root).strip()
    except GitFailed as error:
        raise BadArchive(f"The files cannot be stored. {error.cause}") from None


def take(
    repository: Repository,
    made: Path,
    stream: Iterable[bytes],
    limit: int,
    root: Callable[[Path], Path] = lambda files: files,
) -> str:
    """Store the files of an archive in the repository; returns the tree.

    `made` is an empty folder to work in; `root` says which of the folders is meant.
    """
    files = made / "files"
    files.mkdir()
    with tempfile.TemporaryFile(dir=made) as file:
        spool(stream, file, limit)
        unpack(file, files, limit)
    return write_tree(repository, root(files))


def inner(files: Path) -> Path:
    """The only folder that an archive holds, as archives of a repository do, else the archive."""
    entries = list(files.iterdir())
    alone = len(entries) == 1 and entries[0].is_dir() and not entries[0].is_symlink()
    return entries[0] if alone and entries[0].name != "bin" else files


class _Unpacking:
    """One archive on its way into a folder."""

    def __init__(self, root: Path, limit: int) -> None:
        self._root = root
        self._left = limit
        self._limit = limit
        self._entries = 0
        self._files: dict[str, int] = {}  # path: size
        self._links: dict[str, str] = {}  # path: target

    def take(self, archive: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
        self._entries += 1
        if self._entries > MOST_ENTRIES:
            raise TooLarge(f"The archive holds more than {MOST_ENTRIES} entries.")
        path = _safe_path(entry.name)
        if path is None:
            return
        if path in self._files or path in self._links:
            raise _bad(entry.name, "appears twice")
        if entry.isdir():
            self._folder(path, entry.name)
            return
        self._folder(path.rpartition("/")[0], entry.name)
        if entry.isreg():
            self._file(archive, entry, path)
        elif entry.islnk():
            self._hard_link(entry, path)
        elif entry.issym():
            self._links[path] = entry.linkname
        else:
            raise _bad(entry.name, "is a device or another special file")

    def finish(self) -> None:
        """Make the symbolic links; refuse those that lead out."""
        for path, target in self._links.items():
            try:
                (self._root / path).symlink_to(target)
            except (OSError, ValueError):
                raise _bad(path, "is a link that cannot be made") from None
        for path in self._links:
            if leads_out(self._root, path):
                raise _bad(path, "is a link that points outside of the archive")
        if not self._files and not self._links:
            raise BadArchive("The archive holds no files.")

    def _folder(self, path: str, name: str) -> None:
        parts = path.split("/") if path else []
        for depth in range(1, len(parts) + 1):
            if "/".join(parts[:depth]) in self._links:
                raise _bad(name, "lies behind a link")
        try:
            (self._root / path).mkdir(parents=True, exist_ok=True)
        except OSError:
            raise _bad(name, "lies where the archive has a file") from None

    def _file(self, archive: tarfile.TarFile, entry: tarfile.TarInfo, path: str) -> None:
        self._count(entry.size)
        source = archive.extractfile(entry)
        assert source is not None  # only links and folders have none
        try:
            target = (self._root / path).open("xb")
        except OSError:
            raise _bad(entry.name, "has a name that cannot be written") from None
        left = entry.size
        with source, target:
            while chunk := source.read(_BLOCK):
                target.write(chunk)
                left -= len(chunk)
            os.fchmod(target.fileno(), 0o755 if entry.mode & 0o100 else 0o644)
        if left:
            raise _bad(entry.name, "is cut short")
        self._files[path] = entry.size

    def _hard_link(self, entry: tarfile.TarInfo, path: str) -> None:
        target = _safe_path(entry.linkname)
        if target is None or target not in self._files:
            raise _bad(entry.name, "is a hard link to what the archive does not hold")
        self._count(self._files[target])
        try:
            (self._root / path).hardlink_to(self._root / target)
        except OSError:
            raise _bad(entry.name, "is a hard link that cannot be made") from None
        self._files[path] = self._files[target]

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0 or size < 0:
            raise _too_large(self._limit)


class _Plain:
    """The archive's bytes without compression, for tarfile: bounded in size and per read."""

    def __init__(self, source: BinaryIO | gzip.GzipFile, limit: int) -> None:
        self._source = source
        self._most = limit + MOST_ENTRIES * 2 * tarfile.BLOCKSIZE
        self._limit = limit

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _LARGEST_HEADER:
            raise BadArchive(f"The archive has a header of {size} bytes.")
        data = self._source.read(size)
        if self._source.tell() > self._most:
            raise _too_large(self._limit)
        return data

    def tell(self) -> int:
        return self._source.tell()

    def seek(self, offset: int) -> int:
        if offset > self._most:
            raise _too_large(self._limit)
        return self._source.seek(offset)


def _safe_path(name: str) -> str | None:
    """An entry's path relative to the root; None when it is to be left out; raises BadArchive."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/"):
        raise _bad(name, "has an absolute path")
    if ".." in parts:
        raise _bad(name, "leads out of the archive")
    if "\0" in name or len(parts) > _DEEPEST or len(os.fsencode(name)) > _LONGEST_PATH:
        raise _bad(name, "has a name that is too long, too deep or holds a zero byte")
    if not parts or any(part.casefold() == ".git" for part in parts):
        return None
    return "/".join(parts)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The unpacked files are over the limit of {limit / 2**20:.1f} MiB.")


def _bad(name: str, why: str) -> BadArchive:
    shown = os.fsencode(name[:200]).decode(errors="replace")
    return BadArchive(f"The entry {shown!r} {why}.")
