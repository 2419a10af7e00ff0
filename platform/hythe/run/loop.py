"""The reconcile loop: which app is looked at when."""

import contextlib
import heapq
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from hythe import logs
from hythe.engine.port import Container, Engine, Feed
from hythe.errors import EngineError, HytheError
from hythe.model import Database, Event, Instance, Run, now
from hythe.names import Names
from hythe.run import observe
from hythe.run.apply import Applier
from hythe.run.desired import Desired, read, read_all
from hythe.run.health import Prober
from hythe.run.observe import Observed
from hythe.run.plan import Plan, plan
from hythe.run.publish import Publisher
from hythe.run.routers import Routers
from hythe.settings import Settings

if TYPE_CHECKING:
    from hythe.run.explain import Explanation

RESYNC_SECONDS = 15.0
WORKERS = 4
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 30.0
EVENT_DAYS = 90
MOST_EVENTS = 100_000  # more than an operator reads, less than a disk notices
STOP_SECONDS = 3.0

log = logs.get(__name__)


class Queue:
    """App ids that are due, each at most once; keys are queued, never events."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._condition = threading.Condition()
        self._due: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []
        self._taken: set[int] = set()
        self._closed = False

    def add(self, app_id: int, delay: float = 0.0) -> None:
        """Make the app due after delay seconds, or earlier if it is due earlier."""
        when = self._clock() + delay
        with self._condition:
            if when < self._due.get(app_id, float("inf")):
                self._due[app_id] = when
                heapq.heappush(self._heap, (when, app_id))
                self._condition.notify()

    def take(self) -> int | None:
        """Wait for an app that is due and that no one else holds; None once closed."""
        with self._condition:
            while not self._closed:
                pause = None
                held: list[tuple[float, int]] = []
                while self._heap:
                    when, app_id = self._heap[0]
                    if self._due.get(app_id) != when:
                        heapq.heappop(self._heap)  # an entry that an earlier one replaced
                    elif app_id in self._taken:
                        held.append(heapq.heappop(self._heap))
                    elif when > self._clock():
                        pause = when - self._clock()
                        break
                    else:
                        heapq.heappop(self._heap)
                        del self._due[app_id]
                        self._taken.add(app_id)
                        self._put_back(held)
                        return app_id
                self._put_back(held)
                self._condition.wait(pause)
            return None

    def done(self, app_id: int) -> None:
        with self._condition:
            self._taken.discard(app_id)
            self._condition.notify_all()

    def next_due(self) -> float | None:
        """When the first app that nobody holds is due, by the clock; None when there is none."""
        with self._condition:
            free = (when for app_id, when in self._due.items() if app_id not in self._taken)
            return min(free, default=None)

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def _put_back(self, held: list[tuple[float, int]]) -> None:
        for entry in held:
            heapq.heappush(self._heap, entry)


class Loop:
    """Looks at apps, level-triggered: a pass rereads everything, plans and applies."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        engine: Engine,
        names: Names,
        applier: Applier,
        prober: Prober,
        publisher: Publisher,
        routers: Routers,
        queue: Queue,
        isolate: Callable[[], None],
        looks: Sequence[Callable[[], None]] = (),
    ) -> None:
        """looks: called with each resync, each on its own."""
        self._looks = looks
        self._isolate = isolate
        self._settings = settings
        self._database = database
        self._engine = engine
        self._names = names
        self._applier = applier
        self._prober = prober
        self._publisher = publisher
        self._routers = routers
        self._queue = queue
        self._bell = database.subscribe()
        self._stopping = threading.Event()
        self._failures: dict[int, int] = {}
        self._waiting: set[int] = set()  # apps that wait for a router
        self._feed: Feed | None = None
        self._engine_away = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._publisher.publish()
        for target in [self._resync, self._listen, self._events, *[self._work] * WORKERS]:
            thread = threading.Thread(target=target, name=f"run-{target.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End the passes; what they asked of the engine is done when this returns."""
        self._stopping.set()
        self._bell.ring(0)
        self._queue.close()
        if self._feed is not None:
            self._feed.close()
        for thread in self._threads:
            thread.join(timeout=STOP_SECONDS)
        self._applier.close()

    def routers_changed(self) -> None:
        """An ack or an in-flight count came in: look at the apps that wait for one."""
        for app_id in list(self._waiting):
            self._queue.add(app_id)

    def _resync(self) -> None:
        while not self._stopping.is_set():
            self.resync()
            for look in self._looks:
                try:
                    look()
                except Exception as error:  # the others are looked at all the same
                    log.error("look failed", error=str(error))
            self._stopping.wait(RESYNC_SECONDS)

    def resync(self) -> None:
        """Look at everything, whatever was heard."""
        try:
            self._isolate()  # again, since a firewall may be reloaded
            self.sweep()
            self._tidy()
        except Exception as error:  # the thread must outlive a database that is away
            log.error("resync failed", error=str(error))

    def sweep(self) -> None:
        """Make due every app for which something is planned, and remove what belongs to no app.

        One list and one transaction for all apps, so that a thousand of them cost little. The plan
        itself is not used: a pass over the app rereads everything.
        """
        self._publisher.refresh(always=True)
        found = observe.by_app(self._engine, self._names)  # before the rows: an app has its first
        with self._database.read() as session:
            apps = list(read_all(session))
        free = self._applier.boots.free()
        for wanted in apps:
            _, _, steps = self._plan(wanted, found.pop(wanted.app_id, []), free)
            if steps.actions or steps.again_in is not None:
                self._queue.add(wanted.app_id)
        for stray in itertools.chain(*found.values()):
            log.warning("removing a container of no app", container=stray.name)
            self._engine.instances.remove(stray.id)

    def _tidy(self) -> None:
        """Delete rows that nobody asks for any more."""
        with self._database.write() as tx:
            day = now() - timedelta(days=1)
            tx.execute(delete(Instance).where(Instance.state == "gone", Instance.gone_at < day))
            tx.execute(delete(Event).where(Event.created_at < now() - timedelta(days=EVENT_DAYS)))
            newest = tx.scalar(select(func.max(Event.id))) or 0
            tx.execute(delete(Event).where(Event.id <= newest - MOST_EVENTS))

    def _listen(self) -> None:
        while not self._stopping.is_set():
            self.listen(RESYNC_SECONDS)

    def listen(self, seconds: float) -> None:
        """Wait for the next commits that say whose desired state changed."""
        for app_id in self._bell.wait(seconds):
            self._publisher.look_again()  # another process may have committed it
            self._queue.add(app_id)

    def _events(self) -> None:
        """The engine's events make apps due; the resync makes up for lost ones."""
        while not self._stopping.is_set():
            try:
                self._feed = self._engine.instances.changes(self._names.labels)
                self.sweep()  # for what happened while nobody listened
                self._isolate()
                self._note_engine(None)
                for name in self._feed:
                    self.ring_owner(name)
            except Exception as error:  # the thread must outlive an engine or database that is away
                log.warning("engine events broke off", error=str(error))
                if isinstance(error, EngineError) and not self._stopping.is_set():
                    self._note_engine(error)
                self._stopping.wait(1)

    def _note_engine(self, trouble: EngineError | None) -> None:
        """Record once that the engine is away, and that it is back."""
        if (trouble is not None) == self._engine_away:
            return
        with contextlib.suppress(HytheError), self._database.write() as tx:
            if trouble is not None:
                tx.note("engine.away", trouble.cause, fix=trouble.fix)
            else:
                tx.note("engine.back", "The container engine answers again")
            self._engine_away = trouble is not None

    def ring_owner(self, container: str) -> None:
        """The engine said that something happened to this container."""
        last = container.rpartition(".")[2]
        kind, number = last[:1], last[1:]
        if kind not in ("i", "r") or not number.isdecimal():
            return
        with self._database.read() as session:
            instance = session.get(Instance, int(number)) if kind == "i" else None
            run = session.get(Run, int(number)) if kind == "r" else None
        if instance is not None:
            self._queue.add(instance.app_id)
        if run is not None:
            self._database.ring(run.app_id)  # for oneoffs.py

    def _work(self) -> None:
        while (app_id := self._queue.take()) is not None:
            self.work(app_id)

    def work(self, app_id: int) -> None:
        """One pass over an app that was taken from the queue, and when the next one is due."""
        again: float | None
        try:
            again = self._pass(app_id)
            self._failures.pop(app_id, None)
        except Exception as error:  # one app's trouble is not the others'
            again = self._back_off(app_id, error)
        finally:
            self._queue.done(app_id)
        if again is not None:
            self._queue.add(app_id, again)

    def _back_off(self, app_id: int, error: Exception) -> float:
        failures = self._failures[app_id] = self._failures.get(app_id, 0) + 1
        pause = min(FIRST_BACKOFF * 2.0 ** min(failures - 1, 10), LONGEST_BACKOFF)
        expected = isinstance(error, EngineError)
        log.warning(
            "pass failed",
            app=app_id,
            error=str(error),
            again_in=pause,
            exc_info=None if expected else error,
        )
        return pause

    def explain(self, app_id: int) -> "Explanation | None":
        """What the next pass would do, and why; None when there is no such app."""
        from hythe.run.explain import explain  # seldom asked for

        look = self._look(app_id)
        return explain(*look, now(), self._settings.drain_timeout) if look else None

    def _look(self, app_id: int) -> tuple[Desired, Observed, Plan] | None:
        """What is wanted, what is seen, and what follows."""
        with self._database.read() as session:
            wanted = read(session, app_id)
        if wanted is None:
            return None
        found = observe.containers(self._engine, self._names, app_id)
        return self._plan(wanted, found, self._applier.boots.free())

    def _pass(self, app_id: int) -> float | None:
        """One look at one app; returns after how many seconds to look again, if at all."""
        self._publisher.refresh()
        look = self._look(app_id)
        if look is None:
            self._waiting.discard(app_id)
            return None
        wanted, _, steps = look
        if steps.again_in is not None:
            self._waiting.add(app_id)
        else:
            self._waiting.discard(app_id)
        if steps.actions and self._applier.apply(wanted, steps.actions):
            return 0.0
        return steps.again_in

    def _plan(
        self, wanted: Desired, found: Sequence[Container], free_starts: int
    ) -> tuple[Desired, Observed, Plan]:
        seen = observe.look(
            found,
            self._prober,
            self._routers,
            self._publisher.version,
            frozenset(slot.id for slot in wanted.slots),
            free_starts,
            wanted.rolling.deployment_id if wanted.rolling else None,
        )
        return wanted, seen, plan(wanted, seen, now(), self._settings.drain_timeout)
