"""The last table on disk: what a router starts from while the control plane is away."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from hythe import logs
from hythe.wire import BadTable, RouteTable

log = logs.get(__name__)

_SECONDS_BETWEEN = 1.0


class Snapshot:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._unsaved: Callable[[], str] | None = None
        self._next = float("-inf")
        self._writer = 0  # the process that writes, while there is one

    def load(self) -> RouteTable | None:
        try:
            return RouteTable.loads(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (BadTable, OSError) as error:
            log.error("snapshot cannot be used", path=self._path, reason=error)
            return None

    def put(self, document: Callable[[], str]) -> None:
        """There is a new table; `document` gives it as JSON when it is time to write."""
        self._unsaved = document

    def due(self, now: float) -> float | None:
        """In how many seconds `begin` has something to do; None: never, or not yet."""
        if self._unsaved is None or self._writer:
            return None
        return max(0.0, self._next - now)

    def begin(self, now: float) -> None:
        """Write what is unsaved in a child process, so that a big table holds up nobody. The child
        has the table as it is now, and takes only the time that others leave."""
        document, self._unsaved = self._unsaved, None
        if document is None:
            return
        self._next = now + _SECONDS_BETWEEN
        self._writer = os.fork()
        if self._writer:
            return
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            os.nice(19)
            code = 0 if self._write(document().encode()) else 1
        finally:
            os._exit(code)

    def reap(self) -> None:
        """Take note of a writer that has ended."""
        if self._writer and os.waitpid(self._writer, os.WNOHANG)[0]:
            self._writer = 0

    def finish(self) -> None:
        """Write what is unsaved, here and now."""
        if self._writer:
            os.waitpid(self._writer, 0)
            self._writer = 0
        document, self._unsaved = self._unsaved, None
        if document is not None:
            self._write(document().encode())

    def _write(self, data: bytes) -> bool:
        """Whole or not at all: a crash at any point leaves the old file or the new."""
        try:
            self._replace(data)
        except OSError as error:
            log.error("snapshot cannot be written", path=self._path, reason=error)
            return False
        return True

    def _replace(self, data: bytes) -> None:
        temporary = self._path.with_name(self._path.name + ".new")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Certificates in it bring their private keys.
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, 0o600)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
