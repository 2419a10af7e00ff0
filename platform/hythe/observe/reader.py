"""Reading an app's log: its last lines, and new lines as they come."""

from hythe.observe.line import EVERYTHING, Cursor, LogFilter, LogLine
from hythe.observe.segments import Segments
from hythe.observe.store import Bounds, apps_folder

CHUNK = 1024 * 1024  # above the longest line: 64 KiB of text, six bytes for each when escaped


class LogReader:
    """Reads the segments; needs nothing of the process that writes them.

    To show the last lines and then what follows, without a gap or a repeat:

        cursor = reader.end(app_id)
        lines = reader.tail(app_id, 100, only, cursor)
        while True:
            lines, cursor = reader.read(app_id, cursor, only)

    A reader that comes back goes on after the cursor of the last line that it got. One that was
    left behind, since the log is bounded, goes on with the oldest line that there is.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._folder = apps_folder(bounds)

    def _segments(self, app_id: int) -> Segments:
        return Segments(self._folder / str(app_id))

    def end(self, app_id: int) -> Cursor:
        """The place after the last line so far."""
        return self._segments(app_id).end()

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
        for cursor, raw in segments.backwards(end or segments.end(), only.needles()):
            line = LogLine.decode(raw, cursor)
            if line is not None and only.passes(line):
                lines.append(line)
                if len(lines) == n:
                    break
        lines.reverse()
        return lines

    def read(
        self, app_id: int, cursor: Cursor, only: LogFilter = EVERYTHING
    ) -> tuple[list[LogLine], Cursor]:
        """Some lines after cursor, and the place after them; `cursor` itself if there are none."""
        segments = self._segments(app_id)
        later = [number for number in segments.numbers() if number > cursor.segment]
        data = segments.read(cursor, CHUNK) or b""
        whole = data.rfind(b"\n") + 1
        if not whole and later:  # dropped, or at its end: it ended before the next one began
            return self.read(app_id, Cursor(later[0], 0), only)
        lines: list[LogLine] = []
        for raw in data[:whole].split(b"\n")[:-1]:
            cursor = Cursor(cursor.segment, cursor.offset + len(raw) + 1)
            line = LogLine.decode(raw, cursor)
            if line is not None and only.passes(line):
                lines.append(line)
        return lines, cursor
