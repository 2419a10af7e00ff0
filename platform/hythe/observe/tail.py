"""Reading a log file that somebody else writes, rotates and truncates."""

import glob
import os
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

PROOF = 64
"""Bytes in front of a position that tell its file from any other. Log lines end in a time of
nanoseconds or a request id, so these bytes occur once."""

MAX_HELD = 16
"""Rotated files that are held open while they wait to be read; a deleted one still takes disk."""

ENGINE_FILES = 3
"""So many files of a container the engine keeps (engine/docker/spec.py). A first look that finds as
many may have come too late for older ones."""

LATE_SECONDS = 1.0
"""For how long a rotated file is watched for writers that have not noticed yet."""

READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a log. The bytes in front of it go along with its file when that is rotated."""

    offset: int = 0
    proof: bytes = b""


@dataclass(slots=True)
class Loss:
    """What could not be read."""

    lines: int = 0
    gaps: int = 0  # times that files were gone or truncated before they were seen to be read

    def __bool__(self) -> bool:
        return bool(self.lines or self.gaps)

    def move_to(self, other: "Loss") -> None:
        """Add what was lost to another count, and begin again."""
        other.lines += self.lines
        other.gaps += self.gaps
        self.lines = self.gaps = 0

    def __str__(self) -> str:
        counted = f"{self.lines} line{'' if self.lines == 1 else 's'} lost"
        unknown = "lines may be lost, since files were gone before they were read"
        return "; ".join(([counted] if self.lines else []) + ([unknown] if self.gaps else []))


class _File:
    """One open file of the chain, and how far it has been read."""

    def __init__(self, fd: int, position: Position) -> None:
        self.fd = fd
        stat = os.fstat(fd)
        self.identity = (stat.st_dev, stat.st_ino)
        self.position = position
        self.more = True  # there may be complete lines after the position
        self.succeeded_at: float | None = None  # monotonic; when a newer file was seen

    def holds(self, position: Position) -> bool:
        start = position.offset - len(position.proof)
        return os.pread(self.fd, len(position.proof), start) == position.proof

    def size(self) -> int:
        return os.fstat(self.fd).st_size

    def read(self, limit: int, loss: Loss) -> list[bytes]:
        """Complete lines after the position, which moves on."""
        before = self.position
        lines = self._read(limit, loss) if self.size() != before.offset else []
        self.more = self.position != before and self.size() != self.position.offset
        return lines

    def _read(self, limit: int, loss: Loss) -> list[bytes]:
        offset, proof = self.position.offset, self.position.proof
        data = os.pread(self.fd, len(proof) + limit, offset - len(proof))
        if not data.startswith(proof):  # truncated, and maybe written to again
            loss.gaps += 1
            offset, proof = 0, b""
            data = os.pread(self.fd, limit, 0)
        whole = data.rfind(b"\n") + 1
        if whole <= len(proof):
            if len(data) < len(proof) + limit:
                self.position = Position(offset, proof)
                return []
            loss.lines += 1  # a line longer than the limit is nobody's log line
            whole = len(data)
            lines = []
        else:
            lines = data[len(proof) : whole].split(b"\n")[:-1]
        self.position = Position(offset + whole - len(proof), data[max(0, whole - PROOF) : whole])
        return lines

    def skip(self) -> int:
        """Give up what was not read, and count its lines, a torn one too."""
        lines, offset, last = 0, self.position.offset, b"\n"
        while data := os.pread(self.fd, READ_BYTES, offset):
            lines += data.count(b"\n")
            offset += len(data)
            last = data[-1:]
        return lines + (last != b"\n")

    def close(self) -> None:
        os.close(self.fd)


class FileTail:
    """Follows PATH through rotation to PATH.1, PATH.2 and so on.

    The files are held open, so what was rotated away and even deleted is still read to its end.
    """

    def __init__(self, path: Path, position: Position | None = None) -> None:
        """position: where an earlier tail of this path stood; None: read all that is there."""
        self.path = path
        self.loss = Loss()
        self._position = position or Position()
        self._held: deque[_File] = deque()

    @property
    def position(self) -> Position:
        """The place after the last line that was read."""
        for file in reversed(self._held):
            if file.position.offset:
                return file.position
        return self._position

    @property
    def behind(self) -> bool:
        """Whether the last read left complete lines, as far as it could tell."""
        return any(file.more for file in self._held)

    def read(self, limit: int = READ_BYTES) -> list[bytes]:
        """New complete lines without newline, about limit bytes; raises PermissionError."""
        if self._is_unchanged():
            return []
        self._look()
        lines: list[bytes] = []
        for file in tuple(self._held):
            lines += file.read(limit, self.loss)
            if file.more:
                break  # a newer file's lines come after its own
        self._drop_old()
        return lines

    def settle(self, seconds: float) -> None:
        """Wait for what is under way; a file holds all that was written."""

    def close(self) -> None:
        self._position = self.position
        while self._held:
            self._held.pop().close()

    def _is_unchanged(self) -> bool:
        """One call of the kernel tells, for the many files to which nobody writes just now."""
        if len(self._held) != 1:
            return False
        try:
            stat = os.stat(self.path)  # noqa: PTH116 - Path.stat takes twice as long
        except FileNotFoundError:
            return False
        file = self._held[0]
        same = file.identity == (stat.st_dev, stat.st_ino)
        return same and stat.st_size == file.position.offset

    def _look(self) -> None:
        """Open the files that are new on the path."""
        try:
            stat = self.path.stat()
            newest = (stat.st_dev, stat.st_ino)
        except FileNotFoundError:
            newest = None  # not there yet, between two steps of a rotation, or gone for good
        if self._held and newest in (None, self._held[-1].identity):
            return
        files = self._open_chain()
        if self._held:
            self._continue(files)
        elif files:
            self._resume(files)
        for file in tuple(self._held)[:-1]:
            file.succeeded_at = file.succeeded_at or time.monotonic()

    def _open_chain(self) -> deque[_File]:
        """Open PATH, PATH.1 and so on; returns them oldest first.

        Opened newest first: a rotation meanwhile shows a file twice, but hides none.
        """
        prefix = f"{self.path.name}."
        found = [path.name for path in self.path.parent.glob(glob.escape(prefix) + "*")]
        suffixes = [name[len(prefix) :] for name in found]
        oldest = max((int(suffix) for suffix in suffixes if suffix.isdecimal()), default=0)
        files: deque[_File] = deque()
        for number in range(oldest + 2):
            path = self.path.with_name(f"{prefix}{number}") if number else self.path
            try:
                file = _File(os.open(path, os.O_RDONLY | os.O_CLOEXEC), Position())
            except FileNotFoundError:
                continue
            if any(file.identity == known.identity for known in files):
                file.close()
            else:
                files.appendleft(file)
        return files

    def _continue(self, files: deque[_File]) -> None:
        """Hold those files of the chain that are newer than the newest that is held."""
        newest = self._held[-1].identity
        fresh = all(file.identity != newest for file in files)
        if fresh:
            self.loss.gaps += 1  # rotated out between two looks; there may have been others
        for file in files:
            if fresh:
                self._held.append(file)
            else:
                file.close()
                fresh = file.identity == newest

    def _resume(self, files: deque[_File]) -> None:
        """Hold the file in which the position is, and the newer ones."""
        if self._position.offset:
            found = [file for file in files if file.holds(self._position)]
            if not found:
                self.loss.gaps += 1
            else:
                while files[0] is not found[-1]:
                    files.popleft().close()
                files[0].position = self._position
        elif len(files) >= ENGINE_FILES:
            self.loss.gaps += 1
        self._held.extend(files)

    def _drop_old(self) -> None:
        while len(self._held) > 1:
            oldest = self._held[0]
            late = time.monotonic() - (oldest.succeeded_at or 0) < LATE_SECONDS
            if (oldest.more or late) and len(self._held) <= MAX_HELD:
                return
            self.loss.lines += oldest.skip()
            self._position = self.position
            self._held.popleft().close()
