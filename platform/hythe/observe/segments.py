"""The numbered files that hold one app's lines, oldest first: 00000001.log.gz, 00000002.log, ...

All but the newest are compressed, soon after the next one was begun. A segment begins with a line
that says how many lines there were before it, so that who finds some of them gone knows how many.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from hythe.observe.line import COUNT, EVERYTHING, MAX_INT, START, Cursor, LogFilter, time_of
from hythe.observe.packed import pack
from hythe.observe.segment import BLOCK, open_segment, packed_path

PLAIN, PACKED = ".log", ".log.gz"
COUNT_BYTES = 1024 * 1024


class Segments:
    """Only the newest one grows, by whole lines, under a lock that all processes honour."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def numbers(self) -> list[int]:
        return sorted({number for number, _ in self._names()})

    def path(self, number: int) -> Path:
        """Of the lines as they are written."""
        return self.folder / f"{number:08d}{PLAIN}"

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
        """About limit bytes after cursor; None when that segment is not there (any more)."""
        segment = open_segment(self.path(cursor.segment))
        if segment is None:
            return None
        with closing(segment):
            return segment.read(cursor.offset, limit)

    def end(self) -> Cursor:
        """The place after the last complete line."""
        for number in reversed(self.numbers()):
            segment = open_segment(self.path(number))
            if segment is None:
                continue
            with closing(segment):
                for start, piece in segment.backwards(None):
                    return Cursor(number, start + len(piece))
        return START

    def backwards(
        self, end: Cursor, only: LogFilter = EVERYTHING, needles: Sequence[bytes] = ()
    ) -> Iterator[tuple[Cursor, bytes]]:
        """The complete lines up to `end` that hold all needles, newest first, each with the place
        after it; without pieces whose times say that none passes."""
        for number in reversed(self.numbers()):
            segment = open_segment(self.path(number)) if number <= end.segment else None
            if segment is None:
                continue
            with closing(segment):
                last = end.offset if number == end.segment else None
                for start, piece in segment.backwards(last, only):
                    for after, line in _holding(piece, needles):
                        yield Cursor(number, start + after), line

    def count(self, cursor: Cursor) -> int | None:
        """How many lines there were before a place, ever; None when its segment is gone."""
        segment = open_segment(self.path(cursor.segment))
        if segment is None:
            return None
        lines = offset = 0
        with closing(segment):
            before = _lines_before(segment.read(0, BLOCK))
            while offset < cursor.offset:
                data = segment.read(offset, COUNT_BYTES)[: cursor.offset - offset]
                if not data:
                    break
                lines += data.count(b"\n")
                offset += len(data)
        headed = before is not None and offset > 0
        return (before or 0) + lines - headed

    def begin(self, number: int) -> None:
        """Begin the segment of a number; hold the lock. Raises OSError."""
        numbers = self.numbers()
        before = (self.count(Cursor(numbers[-1], MAX_INT)) if numbers else 0) or 0
        path = self.path(number)
        draft = path.with_name(path.name + ".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "w") as file:
            file.write(f"{COUNT.decode()}{before}}}\n")
        draft.replace(path)

    def drop(self, bound: int) -> None:
        """Remove the oldest, until those before the newest take bound bytes; hold the lock."""
        sizes = self._sizes()
        newest = max((number for number, _ in sizes), default=0)
        rest = sum(size for number, size in sizes if number != newest)
        for number, size in sorted(sizes):
            if rest <= bound or number == newest:
                return
            rest -= size
            self.remove(number)

    def remove(self, number: int) -> None:
        for path in (self.path(number), packed_path(self.path(number))):
            path.unlink(missing_ok=True)

    def begun_at(self, number: int) -> float | None:
        """The time of a segment's first line; None when it has none."""
        segment = open_segment(self.path(number))
        if segment is None:
            return None
        with closing(segment):
            lines = segment.read(0, BLOCK).split(b"\n")[:-1]
        return next((time for line in lines if (time := time_of(line)) is not None), None)

    def written_at(self, number: int) -> float | None:
        """When the last line was written; None when the segment is gone."""
        for path in (self.path(number), packed_path(self.path(number))):
            with contextlib.suppress(FileNotFoundError):
                return path.stat().st_mtime
        return None

    def pack_one(self) -> bool:
        """Compress one segment before the newest, if there is one to do. Raises OSError."""
        plain = sorted(number for number, suffix in self._names() if suffix == PLAIN)
        newest = max(self.numbers(), default=0)
        for number in plain:
            if number == newest:
                return False
            path = self.path(number)
            with contextlib.suppress(FileNotFoundError):  # dropped meanwhile
                if not packed_path(path).exists():
                    pack(path, packed_path(path))
            with self.locked():
                if path.exists():
                    path.unlink()
                else:
                    packed_path(path).unlink(missing_ok=True)
            return True
        return False

    def _names(self) -> list[tuple[int, str]]:
        try:
            names = [entry.name.partition(".") for entry in os.scandir(self.folder)]
        except FileNotFoundError:
            return []
        return [
            (int(stem), dot + suffix)
            for stem, dot, suffix in names
            if stem.isdecimal() and dot + suffix in (PLAIN, PACKED)
        ]

    def _sizes(self) -> list[tuple[int, int]]:
        sizes: dict[int, int] = {}
        for number, suffix in self._names():
            with contextlib.suppress(FileNotFoundError):
                found = (self.folder / f"{number:08d}{suffix}").stat().st_size
                sizes[number] = sizes.get(number, 0) + found
        return list(sizes.items())


def _lines_before(head: bytes) -> int | None:
    """What the first line says; None where it says nothing, as it did not in earlier versions."""
    line = head.partition(b"\n")[0]
    number = line.removeprefix(COUNT).removesuffix(b"}")
    return int(number) if line.startswith(COUNT) and number.isdigit() else None


def _holding(piece: bytes, needles: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines of piece that hold all needles, last first, and where each ends in it."""
    if not piece or any(needle not in piece for needle in needles):
        return
    after = len(piece)
    for line in reversed(piece[:-1].split(b"\n")):
        if all(needle in line for needle in needles):
            yield after, line
        after -= len(line) + 1


def _is(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
