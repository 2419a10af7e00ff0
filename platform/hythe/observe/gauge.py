"""What one container uses, from look to look."""

from collections.abc import Sequence
from pathlib import Path

from hythe.observe import figures
from hythe.observe.cgroup import Cgroup, Reading
from hythe.observe.quota import Quota
from hythe.observe.rollup import LONG, SHORT, roll_up
from hythe.observe.series import Series
from hythe.observe.sources import Source


class Gauge:
    """Writes a record a look, once there is an earlier look to count from."""

    def __init__(self, home: Path, source: Source, now: int, *, fresh: bool) -> None:
        """fresh: the container was started since the last look, so all that it counted is new."""
        origin = source.origin
        self._id = source.id
        self._series = figures.instance(home, origin.app_id, f"{origin.process}.{origin.index}")
        self._restarts, self._kills = _so_far(self._series, now)
        self._cgroup: Cgroup | None = None
        self._before: tuple[int, Reading] | None = None
        self._fresh = fresh
        self._quota = Quota()

    def look(self, end: int) -> Sequence[tuple[str, str]]:
        """Write the step that ends at `end`; gives what is to be told. Raises OSError."""
        reading = self._read()
        if reading is None:
            return []
        at, last = self._before or (0, None)
        self._before = (end, reading)
        kills = reading.oom_kills
        if last is not None and last.run == reading.run:
            kills -= last.oom_kills
        elif last is not None:
            self._restarts += 1
            last = None  # all counters began anew
        elif not self._fresh:
            kills = 0
        self._fresh = False
        self._kills += kills
        self._write(end, end - at if last else 0, last, reading)
        if end % LONG.step == 0:
            roll_up(self._series, end, {})
        return self._quota.look(reading, kills)

    def _read(self) -> Reading | None:
        """A restart makes another cgroup in the place of the old one."""
        self._cgroup = self._cgroup or Cgroup.find(self._id)
        reading = self._cgroup.read() if self._cgroup else None
        if reading is None:
            self._cgroup = None
        return reading

    def _write(self, end: int, seconds: int, last: Reading | None, now: Reading) -> None:
        values: dict[str, float] = {
            "memory": now.memory,
            "limit": now.limit,
            "restarts": self._restarts,
            "oom_kills": self._kills,
        }
        if last is not None and seconds:
            values["cpu"] = (now.cpu - last.cpu) / seconds
            values["received"] = now.received - last.received
            values["sent"] = now.sent - last.sent
        self._series.write(SHORT, end - SHORT.step, values)


def _so_far(series: Series, now: int) -> tuple[int, int]:
    """Restarts and kills as they were last written down."""
    for tier in (SHORT, LONG):
        points = series.read(tier, now - tier.step * tier.slots, now)
        if points:
            known = dict(zip(series.fields, points[-1].values, strict=True))
            return int(known["restarts"]), int(known["oom_kills"])
    return 0, 0
