"""The collector: brings what containers and routers write into the apps' logs.

A process of its own, and a small one: all that it knows it reads from files, so it works on while
the control plane, the database or the engine is away. It imports none of them.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import R_OK, access
from pathlib import Path

from hythe import logs
from hythe.engine.port import Instances
from hythe.observe.access_log import AccessLog, Hosts
from hythe.observe.apps import Apps, apps_file
from hythe.observe.checkpoint import Checkpoint, Mark
from hythe.observe.container_log import ContainerLog
from hythe.observe.drains import Drains
from hythe.observe.follow import FollowedLog, FollowTail
from hythe.observe.intake import Decoder, Intake, Tail
from hythe.observe.pulse import Pulse
from hythe.observe.reader import LogReader
from hythe.observe.replay import Replay
from hythe.observe.sources import ENDED, SOURCE, STORED, TRANSCRIPT, Source, Sources
from hythe.observe.store import LogStore
from hythe.observe.tail import FileTail
from hythe.observe.transcript_log import TranscriptLog

POLL_SECONDS = 0.1
LOOK_SECONDS = 1.0  # between two looks at all sources, if nothing says that there is a new one
TIDY_SECONDS = 15.0
SAVE_SECONDS = 5.0
AGE_SECONDS = 600.0
PACK_SECONDS = 0.1
REST_SECONDS = 5.0
SETTLE_SECONDS = 1.0
KEEP_SECONDS = 600.0
"""For how long the mark of a source is kept that nobody speaks of: it may come back."""
ROUTER = "router"

log = logs.get(__name__)


@dataclass
class Bounds:
    """See store.Bounds."""

    log_dir: Path
    log_bytes: int = 0
    log_days: int = 0


class Collector:
    """Call `run`; from another thread or a signal handler, `stop`."""

    def __init__(
        self,
        home: Path,
        engine: Callable[[], Instances],
        unseal: Callable[[str], str],
        beaten: Callable[[], None] = lambda: None,
    ) -> None:
        """engine: asked for the output of containers whose log files this process cannot read.
        unseal: the URL of a drain of a sealed one; raises HytheError.
        beaten: called every few seconds as long as it works.

        Raises BlockingIOError when another collector works on this home.
        """
        self._pulse = Pulse(home, beaten)
        self._home = home
        self._engine = engine
        self._bounds = Bounds(home / "logs")
        self._store = LogStore(self._bounds)
        self._drains = Drains(self._bounds, self._store, unseal)
        self._path = self._bounds.log_dir / "checkpoint.json"
        self._saved = Checkpoint.load(self._path)
        self._replay = Replay(LogReader(self._bounds), self._saved.ends, self._pulse.beat)
        self._hosts = Hosts()
        self._apps: Apps | None = None
        self._apps_seen: tuple[int, int] | None = None
        self._sources = Sources(home)
        self._said: Mapping[str, frozenset[str]] = {}  # see Sources.ids
        self._said_at = 0
        self._intakes: dict[str, Intake] = {}  # by container id, and the router's
        self._ended: set[str] = set()
        self._kept = dict.fromkeys(self._saved.marks, time.monotonic() + KEEP_SECONDS)
        self._marks = dict(self._saved.marks)  # of the sources in _kept
        self._orphans: set[int] = set()
        self._look_at = self._tidy_at = self._save_at = self._age_at = self._drains_at = 0.0
        self._stopping = threading.Event()

    def run(self) -> None:
        """Collect until `stop`; then save how far everything was read."""
        while not self._stopping.is_set():
            try:
                behind = self._pass()
            except Exception as error:  # it must outlive whatever it meets
                log.error("log collector failed", error=repr(error))
                self._stopping.wait(1)
                continue
            if not behind:
                self._stopping.wait(POLL_SECONDS)
        self._save()
        self._drains.stop()
        for intake in self._intakes.values():
            intake.close()
        self._pulse.close()

    def stop(self) -> None:
        self._stopping.set()

    @property
    def lost(self) -> dict[str, tuple[int, int]]:
        """By source: lines that were lost, and gaps of an unknown number of lines."""
        intakes = list(self._intakes.items())
        return {key: (i.lost.lines, i.lost.gaps) for key, i in intakes if i.lost}

    def _pass(self) -> bool:
        """Move what there is; returns whether there is more already."""
        now = time.monotonic()
        self._pulse.beat()
        if not self._learn():
            return False
        self._look(now)
        idle = [key for key, intake in self._intakes.items() if not self._pump(intake, now)]
        if all(intake.settled for intake in self._intakes.values()):
            self._replay.end()
        for key in idle:
            self._answer(key, now)
        if now >= self._save_at:
            self._save_at = now + SAVE_SECONDS
            self._save()
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_SECONDS
            self._tidy(now)
        if now >= self._drains_at:
            self._drains_at = now + LOOK_SECONDS
            self._drains.save()
        self._pack()
        return any(i.behind and i.rests_until <= now for i in self._intakes.values())

    def _learn(self) -> bool:
        """Which app answers where; False as long as no control plane has said it."""
        with contextlib.suppress(FileNotFoundError):
            stat = apps_file(self._home).stat()
            seen = (stat.st_ino, stat.st_mtime_ns)
            if seen != self._apps_seen and (apps := Apps.load(self._home)) is not None:
                self._apps_seen, self._apps = seen, apps
                self._bounds.log_bytes, self._bounds.log_days = apps.log_bytes, apps.log_days
                self._hosts.learn(apps.hosts)
                self._drains.learn(apps.drains)
        return self._apps is not None

    def _look(self, now: float) -> None:
        """Learn of new sources, and of those that ended or are gone."""
        changed_at = self._sources.changed_at()
        if changed_at == self._said_at and now < self._look_at:
            return
        self._look_at, self._said_at = now + LOOK_SECONDS, changed_at
        self._said = self._sources.ids()
        if ROUTER not in self._intakes:
            router_log = FileTail(self._bounds.log_dir / "router.log", self._mark(ROUTER).position)
            self._add(ROUTER, router_log, AccessLog(self._hosts))
        for new in self._said[SOURCE] - self._intakes.keys():
            source = self._sources.load(new)
            if source is not None:
                self._adopt(source)
        self._ended &= self._said[ENDED]
        for key in self._said[ENDED] & self._intakes.keys() - self._ended:
            self._ended.add(key)
            self._intakes[key].settle(SETTLE_SECONDS)

    def _pump(self, intake: Intake, now: float) -> bool:
        self._pulse.beat()
        if now < intake.rests_until:
            return True
        try:
            return intake.pump()
        except OSError as error:  # a full disk, say; the lines are kept
            log.warning("log not collected", source=intake.key, error=str(error))
            intake.rests_until = now + REST_SECONDS
            return True

    def _answer(self, key: str, now: float) -> None:
        """Say that all of a container that has ended is stored; let go of one that is gone."""
        gone = key != ROUTER and key not in self._said[SOURCE]
        if not gone and (key not in self._ended or key in self._said[STORED]):
            return
        intake = self._intakes[key]
        try:
            intake.flush()
            if not gone:
                self._sources.store(key)
        except OSError as error:
            log.warning("log not completed", source=key, error=str(error))
            intake.rests_until = now + REST_SECONDS
            return
        if gone:
            intake.close()
            self._keep(key, intake.mark)
            del self._intakes[key]
            self._ended.discard(key)

    def _adopt(self, source: Source) -> None:
        mark = self._mark(source.id)
        if source.kind == TRANSCRIPT and source.path is not None:
            tail: Tail = FileTail(source.path, mark.position)
            self._add(source.id, tail, TranscriptLog(source.origin))
        elif source.path is not None and _readable(source.path):
            tail = FileTail(source.path, mark.position)
            self._add(source.id, tail, ContainerLog(source.origin, mark.state))
        else:
            tail = FollowTail(self._engine(), source.id, mark.position)
            self._add(source.id, tail, FollowedLog(source.origin))

    def _add(self, key: str, tail: Tail, decoder: Decoder) -> None:
        self._intakes[key] = Intake(key, tail, decoder, self._store, self._replay)
        self._kept.pop(key, None)
        self._marks.pop(key, None)

    def _mark(self, key: str) -> Mark:
        return self._marks.get(key, Mark())

    def _keep(self, key: str, mark: Mark) -> None:
        self._marks[key], self._kept[key] = mark, time.monotonic() + KEEP_SECONDS

    def _save(self) -> None:
        """Save a checkpoint when something has moved; see Checkpoint for the order."""
        if self._apps is None:
            return
        ends = {app_id: self._store.end(app_id) for app_id in self._store.apps()}
        marks = self._marks | {key: intake.mark for key, intake in self._intakes.items()}
        if marks == self._saved.marks:
            return
        for app_id, end in ends.items():
            if end != self._saved.ends.get(app_id):
                self._store.sync(app_id)
        self._saved = Checkpoint(marks, ends)
        self._saved.save(self._path)

    def _pack(self) -> None:
        """Compress segments for a while: one of 8 MiB takes about 0.1 s."""
        until = time.monotonic() + PACK_SECONDS
        while self._store.begun and time.monotonic() < until:
            app_id = min(self._store.begun)
            try:
                more = self._store.segments(app_id).pack_one()
            except OSError as error:  # a full disk, say; the next round tries again
                log.warning("log not compressed", app=app_id, error=str(error))
                more = False
            if not more:
                self._store.begun.discard(app_id)

    def _tidy(self, now: float) -> None:
        """Drop marks and lines of long ago, and the logs of apps that are gone, late lines and
        all; find the segments that are to be compressed, whoever began them."""
        for key in [key for key, until in self._kept.items() if until < now]:
            del self._kept[key], self._marks[key]
        assert self._apps is not None
        absent = self._store.apps() - self._apps.ids
        for app_id in absent & self._orphans:  # twice in a row: it is not one that is being made
            self._store.remove(app_id)
        self._orphans = absent
        present = self._store.apps()
        self._store.begun |= present
        if now >= self._age_at:
            self._age_at = now + AGE_SECONDS
            for app_id in present:
                self._store.age(app_id, time.time())


def _readable(path: Path) -> bool:
    """Whether the engine's log files are here; this one may be gone already."""
    return access(path, R_OK) or access(path.parent.parent, R_OK)
