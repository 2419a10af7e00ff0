"""Writing tar streams: deterministic and fast enough for trees of many thousand files.

Python's tarfile spends most of its time a member on generality; this writes the GNU format (long
names included) for what an image needs: folders, files and symbolic links, with sorted names, a
constant modification time and one owner. Everything else (sockets, devices, pipes) is left out.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = 512
CHUNK = 1 << 20
MTIME = 315532801  # 1 January 1980 and a second, as buildpack images have it
_ZEROS = bytes(BLOCK)
_FILE, _LINK, _FOLDER = b"0", b"2", b"5"


@dataclass(frozen=True, slots=True)
class TarFile:
    """A file to put somewhere; the folders above it are made too."""

    path: str  # absolute, in the container
    content: bytes
    mode: int = 0o644


def tar_of(files: Iterable[TarFile]) -> Iterator[bytes]:
    """A tar of a few files, owned by root."""
    made: set[str] = set()
    for file in files:
        for folder in _parents(file.path):
            if folder not in made:
                made.add(folder)
                yield _header(folder.encode() + b"/", 0o755, 0, _FOLDER, 0)
        yield _header(file.path.lstrip("/").encode(), file.mode, len(file.content), _FILE, 0)
        yield file.content + _padding(len(file.content))
    yield _ZEROS * 2


def tar_of_tree(
    root: Path, prefix: str, owner: int, leave_out: frozenset[str] = frozenset()
) -> Iterator[bytes]:
    """The entries of a folder's tree at prefix, without a tar's end; join with `end()`.

    Nothing may write to the tree meanwhile. Symbolic links are kept, never followed. leave_out:
    paths below root, with all that they hold.
    """
    for folder in _parents(prefix):
        yield _header(folder.encode() + b"/", 0o755, 0, _FOLDER, 0)
    name = prefix.strip("/").encode()
    yield _header(name + b"/", stat.S_IMODE(root.lstat().st_mode), 0, _FOLDER, owner)
    gone = frozenset(name + b"/" + os.fsencode(path) for path in leave_out)
    yield from _batched(_tree(os.fsencode(root), name, owner, gone))


def tar_of_parts(root: Path, prefix: str, owner: int, parts: Iterable[str]) -> Iterator[bytes]:
    """The same for some paths below root, with all that they hold and the folders above them."""
    made: set[str] = set()
    for part in sorted(parts):
        for folder in (*_parents(f"{prefix}/{part}"),):
            if folder not in made:
                made.add(folder)
                ours = folder.startswith(prefix.strip("/"))
                yield _header(folder.encode() + b"/", 0o755, 0, _FOLDER, owner if ours else 0)
        name = os.fsencode(f"{prefix.strip('/')}/{part}")
        yield from _batched(_entry(os.fsencode(root / part), name, owner, frozenset()))


def link(path: str, target: str) -> bytes:
    """A symbolic link, owned by root."""
    return _header(path.lstrip("/").encode(), 0o777, 0, _LINK, 0, target.encode())


def end() -> bytes:
    """What ends a tar."""
    return _ZEROS * 2


def _tree(folder: bytes, name: bytes, owner: int, gone: frozenset[bytes]) -> Iterator[bytes]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        inner = name + b"/" + entry.name
        if inner not in gone:
            yield from _entry(entry.path, inner, owner, gone)


def _entry(path: bytes, name: bytes, owner: int, gone: frozenset[bytes]) -> Iterator[bytes]:
    status = os.lstat(path)
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        yield _header(name + b"/", mode, 0, _FOLDER, owner)
        yield from _tree(path, name, owner, gone)
    elif stat.S_ISLNK(status.st_mode):
        yield _header(name, 0o777, 0, _LINK, owner, os.readlink(path))  # noqa: PTH115 - bytes
    elif stat.S_ISREG(status.st_mode):
        yield _header(name, mode, status.st_size, _FILE, owner)
        yield from _content(path, status.st_size)


def _content(path: bytes, size: int) -> Iterator[bytes]:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        left = size
        while left:
            data = os.read(fd, min(left, CHUNK))
            if not data:
                raise OSError(f"{os.fsdecode(path)} shrank while it was read")
            left -= len(data)
            yield data
    finally:
        os.close(fd)
    yield _padding(size)


def _batched(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces, so that the socket gets few large writes."""
    batch: list[bytes] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield b"".join(batch)
            batch, size = [], 0
    yield b"".join(batch)


def _parents(path: str) -> list[str]:
    parts = path.strip("/").split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _padding(size: int) -> bytes:
    return _ZEROS[: -size % BLOCK]


def _header(
    name: bytes, mode: int, size: int, kind: bytes, owner: int, target: bytes = b""
) -> bytes:
    long = b""
    if len(target) > 100:
        long += _long(b"K", target)
    if len(name) > 100:
        long += _long(b"L", name)
    return long + _block(name[:100], mode, size, kind, owner, target[:100])


def _long(kind: bytes, text: bytes) -> bytes:
    """GNU's way to carry a name that does not fit: a member of its own before the real one."""
    text += b"\0"
    return _block(b"././@LongLink", 0o644, len(text), kind, 0, b"") + text + _padding(len(text))


def _block(name: bytes, mode: int, size: int, kind: bytes, owner: int, target: bytes) -> bytes:
    length = b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big")
    head = b"%-100b%07o\0%07o\0%07o\0%b%011o\0" % (b"", mode, owner, owner, length, MTIME)
    head = name.ljust(100, b"\0") + head[100:]
    tail = kind + target.ljust(100, b"\0") + b"ustar  \0"
    total = sum(head) + 8 * 32 + sum(tail)
    return (head + b"%06o\0 " % total + tail).ljust(BLOCK, b"\0")
