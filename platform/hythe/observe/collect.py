"""The collector: brings what containers and routers write into the apps' logs.

One thread moves lines, another listens to the engine. Neither needs anything of the control plane
but its database and its engine, so that it can become a process of its own.
"""

import contextlib
import threading
import time

from sqlalchemy import select

from hythe import logs
from hythe.engine.port import Container, Engine, Feed
from hythe.errors import EngineError
from hythe.model import App, Database
from hythe.names import Names
from hythe.observe.access_log import AccessLog, Hosts
from hythe.observe.checkpoint import Checkpoint, Mark
from hythe.observe.container_log import ContainerLog
from hythe.observe.follow import FollowedLog, FollowTail
from hythe.observe.intake import Decoder, Intake, Tail
from hythe.observe.origin import Origin
from hythe.observe.reader import LogReader
from hythe.observe.replay import Replay
from hythe.observe.store import LogStore
from hythe.observe.tail import FileTail
from hythe.settings import Settings

POLL_SECONDS = 0.1
RESYNC_SECONDS = 15.0
SAVE_SECONDS = 5.0
REST_SECONDS = 5.0
FINISH_SECONDS = 1.0
ROUTER = "router"

log = logs.get(__name__)


class Collector:
    def __init__(
        self, settings: Settings, database: Database, engine: Engine, names: Names
    ) -> None:
        self._database = database
        self._instances = engine.instances
        self._labels = names.labels
        self._store = LogStore(settings)
        self._path = settings.log_dir / "checkpoint.json"
        self._bell = database.subscribe()
        self._hosts = Hosts(database, settings.domain)
        self._saved = Checkpoint.load(self._path)
        self._replay = Replay(LogReader(settings), self._saved.ends)
        self._intakes: dict[str, Intake] = {}  # by container id, and the router's
        self._lock = threading.Lock()  # around changes of _intakes
        self._listed = False  # all containers are known, since the engine answered once
        self._resync_at = 0.0
        self._save_at = time.monotonic() + SAVE_SECONDS
        self._changes: Feed | None = None
        self._changed: set[str] = set()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name="log-collect", daemon=True),
            threading.Thread(target=self._watch, name="log-watch", daemon=True),
        ]
        router_log = FileTail(settings.log_dir / "router.log", self._mark(ROUTER).position)
        self._add(ROUTER, router_log, AccessLog(self._hosts))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop and save how far everything was read."""
        self._stopping.set()
        self._bell.ring()
        if self._changes is not None:
            self._changes.close()
        for thread in self._threads:
            thread.join(timeout=10)
        self._save()
        for intake in self._intakes.values():
            intake.close()

    def complete(self, container: Container) -> None:
        """Read the log of a container that has ended to its end, before it is removed.

        Takes at most about a second and never raises; what is left by then follows, since its files
        are held open.
        """
        try:
            intake = self._adopt(container)
            if intake is not None:
                intake.finish(FINISH_SECONDS)
        except OSError as error:
            log.warning("log not completed", container=container.name, error=str(error))

    @property
    def lost(self) -> dict[str, tuple[int, int]]:
        """By source: lines that were lost, and gaps of an unknown number of lines."""
        intakes = self._all().items()
        return {key: (i.lost.lines, i.lost.gaps) for key, i in intakes if i.lost}

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._pass()
            except Exception as error:  # the thread must outlive whatever it meets
                log.error("log collector failed", error=repr(error))
                self._stopping.wait(1)

    def _pass(self) -> None:
        now = time.monotonic()
        self._look(now)
        moved = [key for key, intake in self._all().items() if self._pump(intake, now)]
        if self._listed and all(intake.settled for intake in self._all().values()):
            self._replay.end()
        self._drop_ended(moved)
        if now >= self._save_at:
            self._save_at = now + SAVE_SECONDS
            self._save()
        if self._bell.wait(POLL_SECONDS):
            self._hosts.stale = True

    def _pump(self, intake: Intake, now: float) -> bool:
        if now < intake.rests_until:
            return True
        try:
            return intake.pump()
        except OSError as error:  # a full disk, say; the lines are kept
            log.warning("log not collected", source=intake.key, error=str(error))
            intake.rests_until = now + REST_SECONDS
            return True

    def _look(self, now: float) -> None:
        """Learn of new and gone containers."""
        try:
            if now >= self._resync_at:
                self._resync_at = now + RESYNC_SECONDS
                self._resync()
            while self._changed:
                container = self._instances.get(self._changed.pop())
                if container is not None:
                    self._adopt(container)
        except EngineError as error:
            log.warning("containers not listed", cause=error.cause)

    def _resync(self) -> None:
        known = self._all()
        listed = self._instances.list(self._labels)
        for container in listed:
            self._adopt(container)
        for key in known.keys() - {container.id for container in listed} - {ROUTER}:
            known[key].ended = True
        self._listed = True
        self._hosts.stale = True
        self._remove_orphans()

    def _remove_orphans(self) -> None:
        """Delete the logs of apps that are gone, late lines and all."""
        found = self._store.apps()  # before the rows are read: a new app has its row first
        with self._database.read() as session:
            apps = set(session.scalars(select(App.id)))
        for app_id in found - apps:
            self._store.remove(app_id)

    def _watch(self) -> None:
        """Note which containers the engine speaks of; what is missed is found by the resync."""
        while not self._stopping.is_set():
            try:
                self._changes = feed = self._instances.changes(self._labels)
                self._resync_at = 0.0
                for name in feed:
                    self._changed.add(name)
                    if self._stopping.is_set():
                        return
            except EngineError as error:
                log.warning("engine events broke off", cause=error.cause)
            self._stopping.wait(1)

    def _adopt(self, container: Container) -> Intake | None:
        """The container's intake; None when its output is not collected, or there is none yet."""
        origin = Origin.of(container.labels)
        if origin is None or container.state == "created":
            return None
        with self._lock:
            known = self._intakes.get(container.id)
            if known is not None:
                return known
            mark = self._mark(container.id)
            if container.log_path is not None:
                return self._add(
                    container.id,
                    FileTail(container.log_path, mark.position),
                    ContainerLog(origin, mark.state),
                )
            followed = FollowTail(self._instances, container.id, mark.position)
            return self._add(container.id, followed, FollowedLog(origin))

    def _add(self, key: str, tail: Tail, decoder: Decoder) -> Intake:
        intake = self._intakes[key] = Intake(key, tail, decoder, self._store, self._replay)
        return intake

    def _mark(self, key: str) -> Mark:
        return self._saved.marks.get(key, Mark())

    def _all(self) -> dict[str, Intake]:
        with self._lock:
            return dict(self._intakes)

    def _drop_ended(self, moved: list[str]) -> None:
        for key, intake in self._all().items():
            if intake.ended and key not in moved:
                with contextlib.suppress(OSError):
                    intake.flush()
                intake.close()
                with self._lock:
                    del self._intakes[key]

    def _save(self) -> None:
        """Save a checkpoint when something has moved; see Checkpoint for the order."""
        if not self._listed:
            return  # the saved one still has marks of containers that are not known yet
        ends = {app_id: self._store.end(app_id) for app_id in self._store.apps()}
        marks = {key: intake.mark for key, intake in self._all().items()}
        if marks == self._saved.marks:
            return
        for app_id, end in ends.items():
            if end != self._saved.ends.get(app_id):
                self._store.sync(app_id)
        self._saved = Checkpoint(marks, ends)
        self._saved.save(self._path)
