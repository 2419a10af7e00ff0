"""After a crash: leaving out the lines that were stored after the checkpoint was saved."""

from collections import Counter
from collections.abc import Callable, Mapping

from hythe.observe.line import START, Cursor, LogLine
from hythe.observe.reader import LogReader


class Replay:
    """Knows what each app's log got since a checkpoint; each line of it is left out once."""

    def __init__(
        self, reader: LogReader, ends: Mapping[int, Cursor], beat: Callable[[], None]
    ) -> None:
        """beat: called now and then during a long read."""
        self._beat = beat
        self._reader = reader
        self._ends = ends
        self._stored: dict[int, Counter[int]] = {}
        self._over = False

    def fresh(self, apps: dict[int, list[LogLine]]) -> dict[int, list[LogLine]]:
        """The lines of each app that are not stored yet."""
        if self._over:
            return apps
        kept = {app_id: self._unstored(app_id, lines) for app_id, lines in apps.items()}
        return {app_id: lines for app_id, lines in kept.items() if lines}

    def end(self) -> None:
        """All sources have been read past what was stored before."""
        self._over = True
        self._stored.clear()

    def _unstored(self, app_id: int, lines: list[LogLine]) -> list[LogLine]:
        if app_id not in self._stored:
            self._stored[app_id] = self._read(app_id)
        stored = self._stored[app_id]
        fresh = []
        for line in lines:
            key = _key(line)
            if stored[key] > 0:
                stored[key] -= 1
            else:
                fresh.append(line)
        return fresh

    def _read(self, app_id: int) -> Counter[int]:
        stored: Counter[int] = Counter()
        cursor = self._ends.get(app_id, START)
        while True:
            self._beat()
            lines, after = self._reader.read(app_id, cursor)
            if after == cursor:
                return stored
            stored.update(map(_key, lines))
            cursor = after


def _key(line: LogLine) -> int:
    """What tells a line from others. Those of the router and of builds have no time."""
    time = 0.0 if line.source in ("router", "build") else round(line.time, 6)
    return hash((time, line.instance, line.deployment, line.stream, line.source, line.text))
