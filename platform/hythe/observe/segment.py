"""One segment: a file of lines, as they were written or compressed."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from hythe.observe.line import EVERYTHING, LogFilter
from hythe.observe.packed import lines_of, members

BLOCK = 64 * 1024


class Segment(Protocol):
    """An open one; close() it."""

    def read(self, offset: int, limit: int) -> bytes:
        """At least one byte after offset, if there is one; at most limit, or what is more of a
        compressed piece that was begun."""
        ...

    def backwards(
        self, end: int | None, only: LogFilter = EVERYTHING
    ) -> Iterator[tuple[int, bytes]]:
        """Pieces of whole lines before end, the last first, with where each begins; without those
        in which no line passes."""
        ...

    def close(self) -> None: ...


def open_segment(path: Path) -> Segment | None:
    """The segment of this path, or the compressed one beside it; None when it is gone."""
    for found, kind in ((path, Plain), (packed_path(path), Packed), (path, Plain)):
        try:
            return kind(os.open(found, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            continue
    return None


def packed_path(path: Path) -> Path:
    return path.with_name(path.name + ".gz")


class Plain:
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self, offset: int, limit: int) -> bytes:
        return os.pread(self._fd, limit, offset)

    def backwards(
        self, end: int | None, only: LogFilter = EVERYTHING
    ) -> Iterator[tuple[int, bytes]]:
        stat = os.fstat(self._fd)
        if only.since is not None and stat.st_mtime < only.since:
            return  # it was written to for the last time before that
        start = stat.st_size if end is None else min(stat.st_size, end)
        whole = False  # whether buffer ends with a newline
        buffer = b""
        while start > 0:
            size = min(BLOCK, start)
            start -= size
            buffer = os.pread(self._fd, size, start) + buffer
            if not whole:
                buffer = buffer[: buffer.rfind(b"\n") + 1]  # without a torn last line
                whole = bool(buffer)
            first = buffer.find(b"\n") + 1 if start else 0  # it may begin in the block before
            if buffer[first:]:
                yield start + first, buffer[first:]
            buffer = buffer[:first]

    def close(self) -> None:
        os.close(self._fd)


class Packed:
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self, offset: int, limit: int) -> bytes:
        found = b""
        for member in members(self._fd):
            if member.start + member.size > offset and len(found) < limit:
                found += lines_of(self._fd, member)[max(0, offset - member.start) :]
        return found

    def backwards(
        self, end: int | None, only: LogFilter = EVERYTHING
    ) -> Iterator[tuple[int, bytes]]:
        for member in reversed(list(members(self._fd))):
            before = end is None or member.start < end
            if before and only.may_hold(member.oldest, member.newest):
                lines = lines_of(self._fd, member)
                piece = lines if end is None else lines[: end - member.start]
                yield member.start, piece[: piece.rfind(b"\n") + 1]

    def close(self) -> None:
        os.close(self._fd)
