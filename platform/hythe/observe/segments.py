"""The numbered files that hold one app's lines, oldest first: 00000001.log, 00000002.log, ..."""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hythe.observe.line import START, Cursor

BLOCK = 64 * 1024


class Segments:
    """Only the newest one grows, by whole lines, under a lock that all processes honour."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def numbers(self) -> list[int]:
        try:
            names = [entry.name for entry in os.scandir(self.folder)]
        except FileNotFoundError:
            return []
        return sorted(
            int(name[:-4]) for name in names if name.endswith(".log") and name[:-4].isdecimal()
        )

    def path(self, number: int) -> Path:
        return self.folder / f"{number:08d}.log"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the right to append and to remove; makes the folder."""
        while True:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            fd = os.open(self.folder, os.O_RDONLY)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                if _is(fd, self.folder):  # not removed while we waited
                    yield
                    return
            finally:
                os.close(fd)

    def read(self, cursor: Cursor, limit: int) -> bytes | None:
        """At most limit bytes after cursor; None when that segment is not there (any more)."""
        try:
            fd = os.open(self.path(cursor.segment), os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            return os.pread(fd, limit, cursor.offset)
        finally:
            os.close(fd)

    def end(self) -> Cursor:
        """The place after the last complete line."""
        for number in reversed(self.numbers()):
            for cursor, _ in self._backwards(number, None, ()):
                return cursor
        return START

    def backwards(
        self, end: Cursor, needles: Sequence[bytes] = ()
    ) -> Iterator[tuple[Cursor, bytes]]:
        """The complete lines up to `end` that hold all needles, newest first, each with the place
        after it."""
        for number in reversed(self.numbers()):
            if number <= end.segment:
                last = end.offset if number == end.segment else None
                yield from self._backwards(number, last, needles)

    def _backwards(
        self, number: int, end: int | None, needles: Sequence[bytes]
    ) -> Iterator[tuple[Cursor, bytes]]:
        with contextlib.suppress(FileNotFoundError), self.path(number).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = size if end is None else min(size, end)
            after = 0  # the place after the newest line that was not looked at yet
            buffer = b""  # from start to after; ends with a newline, once after is known
            while start > 0:
                block = min(BLOCK, start)
                start -= block
                buffer = os.pread(file.fileno(), block, start) + buffer
                if not after:
                    buffer = buffer[: buffer.rfind(b"\n") + 1]  # without a torn last line
                    after = start + len(buffer) if buffer else 0
                if start > 0:  # its first line may begin in the block before
                    first = buffer.find(b"\n") + 1
                    rest, buffer = buffer[:first], buffer[first:]
                else:
                    rest = b""
                for length, line in _holding(buffer, needles):
                    yield Cursor(number, after - length), line
                after -= len(buffer)
                buffer = rest


def _holding(buffer: bytes, needles: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines of buffer that hold all needles, last first, and the bytes after each."""
    if not buffer or any(needle not in buffer for needle in needles):
        return
    behind = 0
    for line in reversed(buffer[:-1].split(b"\n")):
        if all(needle in line for needle in needles):
            yield behind, line
        behind += len(line) + 1


def _is(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
