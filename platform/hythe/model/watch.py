"""A thread that looks at the database on every bell."""

import threading
from collections.abc import Callable

from hythe import logs
from hythe.model.database import Database

log = logs.get(__name__)


class Watch:
    """Calls `look` at once, on every bell, and every so many seconds, until it is stopped."""

    def __init__(
        self, database: Database, name: str, look: Callable[[], None], seconds: float
    ) -> None:
        self._look = look
        self._seconds = seconds
        self._bell = database.subscribe()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Waits for a look that goes on, at most 10 seconds."""
        self._stopping.set()
        self._bell.ring(0)
        if self._thread.is_alive():
            self._thread.join(10)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._look()
            except Exception as error:  # the thread must outlive a database that is away
                log.error("look failed", thread=self._thread.name, error=str(error))
            self._bell.wait(self._seconds)
