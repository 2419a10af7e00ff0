"""What the router counted for each app, from look to look."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hythe.observe import figures, histogram
from hythe.observe.apps import Apps
from hythe.observe.rollup import LONG, SHORT, roll_up
from hythe.observe.router_counts import router_counts

CLASSES = {"2xx": "s2xx", "3xx": "s3xx", "4xx": "s4xx", "5xx": "s5xx"}


class TrafficMeter:
    """Writes a record for each app that had requests since the router started."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._before: Mapping[str, Any] | None = None  # the router's counts by app
        self._times: dict[int, Counter[int]] = {}  # of the long step, by app id

    def look(self, apps: Apps, end: int) -> None:
        """Write the step that ends at `end`. Raises OSError."""
        counts = router_counts(self._home / "run" / "router.sock")
        before, self._before = self._before, counts["apps"] if counts is not None else None
        if before is not None and self._before is not None:
            for name, now in self._before.items():
                app_id = apps.names.get(name)
                if app_id is not None:
                    self._write(app_id, now, before.get(name, {}), end)
        if end % LONG.step == 0:
            for app_id in set(apps.names.values()):
                times = self._times.pop(app_id, Counter[int]())
                exact = histogram.quantiles(times)
                roll_up(figures.traffic(self._home, app_id), end, exact)

    def _write(
        self, app_id: int, now: Mapping[str, Any], before: Mapping[str, Any], end: int
    ) -> None:
        if now["requests"] < before.get("requests", 0):
            before = {}  # the router was started anew
        times = histogram.since(_times(now), _times(before))
        self._times.setdefault(app_id, Counter()).update(times)
        statuses, earlier = now["statuses"], before.get("statuses", {})
        values = {
            "requests": now["requests"] - before.get("requests", 0),
            **{
                field: statuses.get(name, 0) - earlier.get(name, 0)
                for name, field in CLASSES.items()
            },
            "errors": _sum(now["errors"]) - _sum(before.get("errors", {})),
            **histogram.quantiles(times),
            "in_flight": now["in_flight"],
            "bytes_in": now["bytes_in"] - before.get("bytes_in", 0),
            "bytes_out": now["bytes_out"] - before.get("bytes_out", 0),
        }
        figures.traffic(self._home, app_id).write(SHORT, end - SHORT.step, values)


def _times(counts: Mapping[str, Any]) -> dict[int, int]:
    return {int(bound): count for bound, count in counts.get("times", {}).items()}


def _sum(counts: Mapping[str, int]) -> int:
    return sum(counts.values())
