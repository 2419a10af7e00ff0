"""The store of app logs: HYTHE_HOME/logs/apps/APP_ID/NNNNNNNN.log, bounded a app."""

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
"""An app's log is dropped in pieces of this fraction of its limit."""


class Bounds(Protocol):
    """Where logs are, and how long each may become: the settings, or what the collector knows."""

    @property
    def log_dir(self) -> Path: ...
    @property
    def log_bytes(self) -> int: ...


def apps_folder(bounds: Bounds) -> Path:
    return bounds.log_dir / "apps"


class LogStore:
    """Appends lines, from any thread of any process; keeps no state of its own."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._folder = apps_folder(bounds)

    def append(self, app_id: int, lines: Iterable[LogLine]) -> None:
        """Append all lines, or none and raise OSError (a full disk, say)."""
        encoded = [line.encode() for line in lines]
        if not encoded:
            return
        segments = self.segments(app_id)
        with segments.locked():
            self._write(segments, encoded)

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

    def _write(self, segments: Segments, encoded: Sequence[bytes]) -> None:
        numbers = segments.numbers()
        number = numbers[-1] if numbers else 1
        written: list[tuple[Path, int]] = []  # files and their sizes before
        rest = list(encoded)
        segment_bytes = self._bounds.log_bytes // SEGMENTS
        try:
            while rest:
                path = segments.path(number)
                size = _mend(path)
                count = _fitting(rest, segment_bytes - size, at_least=0 if size else 1)
                if count:
                    written.append((path, size))
                    _append(path, b"".join(rest[:count]))
                    rest = rest[count:]
                number += 1
        except OSError:
            for path, size in written:
                os.truncate(path, size)
            raise
        self._drop_oldest(segments)

    def _drop_oldest(self, segments: Segments) -> None:
        for number in segments.numbers()[:-SEGMENTS]:
            segments.path(number).unlink(missing_ok=True)


def _fitting(lines: Sequence[bytes], room: int, at_least: int) -> int:
    """How many of the lines fit into room bytes."""
    count = 0
    for line in lines:
        room -= len(line)
        if room < 0:
            break
        count += 1
    return max(count, at_least)


def _mend(path: Path) -> int:
    """The size of a segment, after ending a line that a crash left torn."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        return 0
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            size += os.write(
                fd, b" torn\n"
            )  # so that it is no line, even if only the end is missing
        return size
    finally:
        os.close(fd)


def _append(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
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
