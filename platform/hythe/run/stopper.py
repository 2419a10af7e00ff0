"""Stopping instances: SIGTERM, time to finish, SIGKILL; off the loop's path, since that is long."""

import math
import threading
from collections.abc import Callable

from hythe import logs
from hythe.engine.port import Engine
from hythe.model import Database, Instance, now
from hythe.run.desired import Slot
from hythe.run.health import Prober
from hythe.settings import Settings

Say = Callable[[int, str, str, str], None]
"""Write a platform line to an app's log: (app id, instance "web.1", release "v7", text)."""

PARALLEL = 16
CRASH_GRACE = 5

log = logs.get(__name__)


class Stopper:
    """Stops each instance in a thread of its own, so many at once; a repeated call is dropped.

    The threads do not hold up the end of the control plane: the next one plans the stop again.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        engine: Engine,
        prober: Prober,
        say: Say,
        thread: type[threading.Thread] = threading.Thread,
    ) -> None:
        self._settings = settings
        self._database = database
        self._engine = engine
        self._prober = prober
        self._say = say
        self._thread = thread
        self._slots = threading.BoundedSemaphore(PARALLEL)
        self._busy: dict[int, threading.Thread] = {}  # by instance
        self._lock = threading.Lock()

    def retire(self, app_id: int, slot: Slot, container: str, release: str) -> None:
        """Stop and remove a container; then its row is gone and its address free."""
        self._start(slot.id, lambda: self._retire(app_id, slot, container, release))

    def halt(self, slot: Slot, container: str) -> None:
        """Stop a container that does nothing but crash."""
        self._start(slot.id, lambda: self._engine.instances.stop(container, CRASH_GRACE))

    def _note_kill(self, app_id: int, slot: Slot, seconds: int) -> None:
        with self._database.write() as tx:
            tx.note(
                "instance.killed",
                f"{slot.name} did not exit within {seconds} s of SIGTERM, and was killed (R12)",
                app_id=app_id,
                instance=slot.id,
                fix="Let the process end on SIGTERM, or raise HYTHE_STOP_TIMEOUT.",
            )

    def gone(self, app_id: int, slot_id: int, container: str) -> None:
        """Remove a container at once, and end its row."""
        self._engine.instances.remove(container)
        self._prober.forget(slot_id)
        with self._database.write() as tx:
            row = tx.get(Instance, slot_id)
            if row is not None:
                row.state, row.gone_at = "gone", now()
            tx.poke(app_id)

    def join(self) -> None:
        """Wait for the stops under way."""
        with self._lock:
            threads = list(self._busy.values())
        for thread in threads:
            thread.join()

    def _start(self, slot_id: int, work: Callable[[], None]) -> None:
        with self._lock:
            if slot_id in self._busy:
                return
            thread = self._thread(
                target=self._run, args=(slot_id, work), name=f"stop-{slot_id}", daemon=True
            )
            self._busy[slot_id] = thread
        thread.start()

    def _run(self, slot_id: int, work: Callable[[], None]) -> None:
        try:
            with self._slots:
                work()
        except Exception as error:  # the next pass plans the stop again
            log.warning("stop failed", instance=slot_id, error=str(error))
        finally:
            with self._lock:
                del self._busy[slot_id]

    def _retire(self, app_id: int, slot: Slot, container: str, release: str) -> None:
        found = self._engine.instances.get(container)
        if found is not None and found.state != "created":
            asked = now()
            own = slot.rules.stop_timeout
            seconds = self._settings.stop_timeout if own is None else math.ceil(own)
            self._engine.instances.stop(found.id, seconds)
            if (now() - asked).total_seconds() >= seconds:
                text = f"Error R12 (Exit timeout): killed {seconds} s after SIGTERM"
                self._say(app_id, slot.name, release, text)
                self._note_kill(app_id, slot, seconds)
        self.gone(app_id, slot.id, container)
