"""Reading an app's log: its last lines, and new lines as they come."""

from hythe.observe.line import (
    COUNT,
    EVERYTHING,
    START,
    Cursor,
    LogFilter,
    LogLine,
    time_of,
)
from hythe.observe.segments import Segments
from hythe.observe.store import Bounds, apps_folder
from hythe.observe.tail import Loss

CHUNK = 1024 * 1024  # above the longest line: 64 KiB of text, six bytes for each when escaped


class LogReader:
    """Reads the segments; needs nothing of the process that writes them.

    To show the last lines and then what follows, without a gap or a repeat:

        cursor = reader.end(app_id)
        lines = reader.tail(app_id, 100, only, cursor)
        following = reader.follow(app_id, cursor, only)
        while True:
            lines = following.read()

    A reader that comes back goes on after the cursor of the last line that it got. One that was
    left behind, since the log is bounded, goes on with the oldest line that there is, and is told
    what it missed.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._folder = apps_folder(bounds)

    def _segments(self, app_id: int) -> Segments:
        return Segments(self._folder / str(app_id))

    def end(self, app_id: int) -> Cursor:
        """The place after the last line so far."""
        return self._segments(app_id).end()

    def count(self, app_id: int) -> int:
        """How many lines there were so far, ever."""
        segments = self._segments(app_id)
        return segments.count(segments.end()) or 0

    def tail(
        self, app_id: int, n: int, only: LogFilter = EVERYTHING, end: Cursor | None = None
    ) -> list[LogLine]:
        """The last n lines that pass, oldest first; of those before `end` when that is given.

        Reads backwards until it has n; may read the app's whole log when few lines pass.
        """
        segments = self._segments(app_id)
        lines: list[LogLine] = []
        if n <= 0:
            return lines
        for cursor, raw in segments.backwards(end or segments.end(), only, only.needles()):
            line = _line(raw, cursor, only)
            if line is not None:
                lines.append(line)
                if len(lines) == n:
                    break
        lines.reverse()
        return lines

    def read(
        self, app_id: int, cursor: Cursor, only: LogFilter = EVERYTHING
    ) -> tuple[list[LogLine], Cursor]:
        """Some lines after cursor, and the place after them; `cursor` itself if there are none."""
        following = self.follow(app_id, cursor, only)
        return following.read(), following.cursor

    def follow(
        self, app_id: int, cursor: Cursor, only: LogFilter = EVERYTHING, seen: int | None = None
    ) -> "Following":
        """For who reads on for long. seen: lines before the cursor; None: they are counted now."""
        following = Following(self._segments(app_id), cursor, only)
        if seen is None:
            following.count()
        else:
            following.seen = seen
        return following


class Following:
    """Reads on from a place; once it has counted, it knows what was dropped before it was read."""

    def __init__(self, segments: Segments, cursor: Cursor, only: LogFilter = EVERYTHING) -> None:
        self.cursor = cursor
        self.missed = Loss()
        self._segments = segments
        self._only = only
        self._needles = only.needles()
        self.seen: int | None = None  # lines before the cursor, ever; None: not counted

    def count(self) -> None:
        self.seen = 0 if self.cursor == START else self._segments.count(self.cursor)

    def read(self) -> list[LogLine]:
        """Some lines after the cursor, which moves on; it stands still when there are none."""
        lines: list[LogLine] = []
        for raw in self._raw():
            self.cursor = Cursor(self.cursor.segment, self.cursor.offset + len(raw) + 1)
            if self.seen is not None and not raw.startswith(COUNT):
                self.seen += 1
            if all(needle in raw for needle in self._needles):
                line = _line(raw, self.cursor, self._only)
                if line is not None:
                    lines.append(line)
        return lines

    def _raw(self) -> list[bytes]:
        """Whole lines after the cursor, in the first segment that has any."""
        while True:
            later = [n for n in self._segments.numbers() if n > self.cursor.segment]
            data = self._segments.read(self.cursor, CHUNK)
            whole = (data or b"").rfind(b"\n") + 1
            if whole or not later:
                return (data or b"")[:whole].split(b"\n")[:-1]
            if data is None and (self.cursor != START or self.seen is not None):
                self._miss(later[0])
            self.cursor = Cursor(later[0], 0)  # the other ended before this one began

    def _miss(self, number: int) -> None:
        """The segment is gone, and those up to this one."""
        before = self._segments.count(Cursor(number, 0))
        if before is None:
            return  # it is gone as well; the next one tells
        if self.seen is None or before < self.seen:
            self.missed.gaps += 1
        else:
            self.missed.lines += before - self.seen
        self.seen = before


def _line(raw: bytes, cursor: Cursor, only: LogFilter) -> LogLine | None:
    """The line, if it is one and passes."""
    if only.since is not None or only.until is not None:
        time = time_of(raw)
        if time is None or not only.may_hold(time, time):
            return None
    line = LogLine.decode(raw, cursor)
    return line if line is not None and only.passes(line) else None
