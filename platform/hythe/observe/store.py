"""The store of app logs: HYTHE_HOME/logs/apps/APP_ID/NNNNNNNN.log, bounded a app.

Segments before the newest are compressed by the collector, see segments.py.
"""

import os
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from hythe import logs
from hythe.observe.line import Cursor, LogLine
from hythe.observe.segments import Segments

log = logs.get(__name__)

SEGMENTS = 8
"""An app's log is written in pieces of this fraction of its size and its age, and dropped so."""
DAY = 86_400.0


class Bounds(Protocol):
    """Where logs are, and how long each may become: the settings, or what the collector knows."""

    @property
    def log_dir(self) -> Path: ...
    @property
    def log_bytes(self) -> int: ...
    @property
    def log_days(self) -> int: ...


def apps_folder(bounds: Bounds) -> Path:
    return bounds.log_dir / "apps"


class LogStore:
    """Appends lines, from any thread of any process."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._folder = apps_folder(bounds)
        self.begun: set[int] = set()
        """Apps whose log got another segment; whoever compresses the others empties it."""

    def append(self, app_id: int, lines: Iterable[LogLine]) -> None:
        """Append all lines, or none and raise OSError (a full disk, say)."""
        encoded = [line.encode() for line in lines]
        if not encoded:
            return
        segments = self.segments(app_id)
        with segments.locked():
            if self._write(segments, encoded):
                self.begun.add(app_id)

    def say(self, app_id: int, instance: str, release: str, text: str) -> None:
        """Append a line of the platform about an instance ("web.1"), now; never raises.

        Whoever says something has better things to do than to wait for a disk that is full.
        """
        process, _, index = instance.partition(".")
        line = LogLine(
            time=time.time(),
            text=text,
            process=process,
            index=int(index) if index.isdecimal() else 0,
            release=release,
            source="platform",
        )
        try:
            self.append(app_id, [line])
        except OSError as error:
            log.warning("platform line lost", app=app_id, text=text, error=str(error))

    def end(self, app_id: int) -> Cursor:
        """The place after the last line so far."""
        return self.segments(app_id).end()

    def segments(self, app_id: int) -> Segments:
        return Segments(self._folder / str(app_id))

    def apps(self) -> set[int]:
        """The ids of the apps that have a log."""
        if not self._folder.is_dir():
            return set()
        return {int(path.name) for path in self._folder.iterdir() if path.name.isdecimal()}

    def sync(self, app_id: int) -> None:
        """Wait until the app's newest lines are on the disk."""
        segments = self.segments(app_id)
        for number in segments.numbers()[-2:]:
            _sync(segments.path(number))

    def remove(self, app_id: int) -> None:
        """Delete an app's log; an absent one is not an error."""
        segments = self.segments(app_id)
        if segments.folder.is_dir():
            with segments.locked():
                shutil.rmtree(segments.folder)

    def age(self, app_id: int, now: float) -> None:
        """Begin another segment when the newest spans too much time, and drop those that are too
        old. Raises OSError."""
        segments, limit = self.segments(app_id), self._bounds.log_days * DAY
        numbers = segments.numbers()
        if not numbers or not limit:
            return
        begun = segments.begun_at(numbers[-1])
        if begun is not None and now - begun > limit / SEGMENTS:
            with segments.locked():
                if segments.numbers() == numbers:
                    segments.begin(numbers[-1] + 1)
                    self.begun.add(app_id)
        for number in numbers:
            written = segments.written_at(number)
            if written is not None and now - written > limit and number != segments.numbers()[-1]:
                with segments.locked():
                    segments.remove(number)

    def _write(self, segments: Segments, encoded: Sequence[bytes]) -> bool:
        """Returns whether another segment was begun."""
        number = max(segments.numbers(), default=0)
        written: list[tuple[Path, int]] = []  # files and their sizes before
        rest = list(encoded)
        begun = False
        size = _mend(segments.path(number))
        try:
            while rest:
                count = 0 if size is None else _fitting(rest, self._segment_bytes - size)
                if size is None or not count:
                    number += 1
                    begun = True
                    segments.begin(number)
                    size = segments.path(number).stat().st_size
                    count = max(1, _fitting(rest, self._segment_bytes - size))
                written.append((segments.path(number), size))
                size += _append(segments.path(number), b"".join(rest[:count]))
                rest = rest[count:]
        except OSError:
            for path, before in reversed(written):
                os.truncate(path, before)
            raise
        if begun:
            segments.drop(self._segment_bytes * (SEGMENTS - 1))
        return begun

    @property
    def _segment_bytes(self) -> int:
        return self._bounds.log_bytes // SEGMENTS


def _fitting(lines: Sequence[bytes], room: int) -> int:
    """How many of the lines fit into room bytes."""
    for count, line in enumerate(lines):
        room -= len(line)
        if room < 0:
            return count
    return len(lines)


def _mend(path: Path) -> int | None:
    """The size of a segment, after ending a line that a crash left torn; None without one."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        return None
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            size += os.write(
                fd, b" torn\n"
            )  # so that it is no line, even if only the end is missing
        return size
    finally:
        os.close(fd)


def _append(path: Path, data: bytes) -> int:
    """Returns how many bytes that were."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        return len(data)
    finally:
        os.close(fd)


def _sync(path: Path) -> None:
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fdatasync(fd)
    finally:
        os.close(fd)
