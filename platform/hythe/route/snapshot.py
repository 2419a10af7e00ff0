"""The last table on disk: what a router starts from while the control plane is away."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from hythe import logs
from hythe.wire import BadTable, RouteTable

log = logs.get(__name__)

_SECONDS_BETWEEN = 1.0
_SHARE = 20  # at least so many times as long as a write takes lies between two


class Snapshot:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._unsaved: Callable[[], str] | None = None
        self._next = float("-inf")

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
        """In how many seconds `save` has something to do; None: never."""
        return None if self._unsaved is None else max(0.0, self._next - now)

    def save(self, now: float) -> None:
        """Whole or not at all: a crash at any point leaves the old file or the new."""
        document, self._unsaved = self._unsaved, None
        if document is None:
            return
        began = time.monotonic()
        try:
            self._write(document().encode())
        except OSError as error:
            log.error("snapshot cannot be written", path=self._path, reason=error)
            self._unsaved = document
        self._next = now + max(_SECONDS_BETWEEN, _SHARE * (time.monotonic() - began))

    def _write(self, data: bytes) -> None:
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
