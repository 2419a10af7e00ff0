"""The sampler: every ten seconds it writes down what instances use and what the router counted.

A thread of the collector's process. It reads the kernel's files and the router's socket, so it
works while the control plane, the database or the engine is away.
"""

import shutil
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from hythe import logs
from hythe.observe import figures
from hythe.observe.apps import Apps
from hythe.observe.gauge import Gauge
from hythe.observe.notices import Notice, Notices
from hythe.observe.rollup import LONG, SHORT
from hythe.observe.sources import ENDED, SOURCE, Source, Sources
from hythe.observe.store import LogStore
from hythe.observe.traffic import TrafficMeter

KEEP_SECONDS = float(LONG.step * LONG.slots)
FIXES = {
    "instance.memory": "Use less, or raise HYTHE_INSTANCE_MEMORY and deploy again.",
    "instance.oom": "Use less memory, or raise HYTHE_INSTANCE_MEMORY and deploy again.",
}

log = logs.get(__name__)


class Sampler:
    """`start` and `stop` the thread, or call `look` at each step's end."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._sources = Sources(home)
        self._notices = Notices(home)
        self._traffic = TrafficMeter(home)
        self._known: dict[str, Source] = {}  # by container id
        self._gauges: dict[str, Gauge] = {}
        self._orphans: set[str] = set()
        self._begun = False  # it has looked once
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def look(self, end: int) -> None:
        """Write down the step that ends at `end`, Unix seconds."""
        apps = Apps.load(self._home)
        if apps is None:
            return  # no control plane has said yet what there is
        self._look_at_instances(apps, end)
        self._begun = True
        self._traffic.look(apps, end)
        if end % LONG.step == 0:
            self._tidy(apps, end)

    def _run(self) -> None:
        while True:
            now = time.time()
            end = (int(now) // SHORT.step + 1) * SHORT.step
            if self._stopping.wait(end - now):
                return
            try:
                self.look(end)
            except Exception as error:  # it must outlive a full disk, and whatever it meets
                log.error("metrics not written", error=repr(error))

    def _look_at_instances(self, apps: Apps, end: int) -> None:
        chosen = _newest(self._running(), apps)
        self._gauges = {key: gauge for key, gauge in self._gauges.items() if key in chosen}
        for key, source in chosen.items():
            gauge = self._gauges.get(key)
            if gauge is None:
                gauge = self._gauges[key] = Gauge(self._home, source, end, fresh=self._begun)
            for kind, line in gauge.look(end):
                self._tell(apps, source, kind, line)

    def _running(self) -> Iterable[Source]:
        said = self._sources.ids()
        ids = said[SOURCE] - said[ENDED]
        self._known = {key: source for key, source in self._known.items() if key in ids}
        for key in ids - self._known.keys():
            source = self._sources.load(key)
            if source is not None:
                self._known[key] = source
        return (source for source in self._known.values() if source.kind == "instance")

    def _tell(self, apps: Apps, source: Source, kind: str, line: str) -> None:
        origin = source.origin
        name = f"{origin.process}.{origin.index}"
        store = LogStore(_Bounds(self._home / "logs", apps.log_bytes, apps.log_days))
        store.say(origin.app_id, name, origin.release, line)
        message = f"{name}: {line.removeprefix('Error ')}"
        self._notices.post(Notice(kind, origin.app_id, message, FIXES[kind]))

    def _tidy(self, apps: Apps, end: int) -> None:
        """Remove the figures of apps that are gone, and of instances that are long gone."""
        folder = figures.metrics_folder(self._home)
        there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        absent = there - {str(app_id) for app_id in apps.ids}
        for name in absent & self._orphans:  # twice in a row: it is not one that is being made
            shutil.rmtree(folder / name, ignore_errors=True)
        self._orphans = absent
        for path in folder.glob("*/*"):
            if path.stat().st_mtime < end - KEEP_SECONDS:
                path.unlink(missing_ok=True)


class _Bounds:
    """See store.Bounds."""

    def __init__(self, log_dir: Path, log_bytes: int, log_days: int) -> None:
        self.log_dir = log_dir
        self.log_bytes = log_bytes
        self.log_days = log_days


def _newest(sources: Iterable[Source], apps: Apps) -> dict[str, Source]:
    """By container: of two with one name, as during a deploy, that of the newer deployment."""
    newest: dict[tuple[int, str, int], Source] = {}
    for source in sources:
        origin = source.origin
        place = (origin.app_id, origin.process, origin.index)
        other = newest.get(place)
        if origin.app_id in apps.ids and (
            other is None or other.origin.deployment < origin.deployment
        ):
            newest[place] = source
    return {source.id: source for source in newest.values()}
