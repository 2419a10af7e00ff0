"""The last table on disk: what a router starts from while the control plane is away."""

import json
import os
from pathlib import Path

from hythe import logs
from hythe.wire import BadTable, RouteTable

log = logs.get(__name__)

_SECONDS_BETWEEN = 1.0


class Snapshot:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._unsaved: RouteTable | None = None
        self._saved_at = float("-inf")

    def load(self) -> RouteTable | None:
        try:
            return RouteTable.loads(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (BadTable, OSError, UnicodeDecodeError) as error:
            log.error("snapshot cannot be used", path=self._path, reason=error)
            return None

    def put(self, table: RouteTable) -> None:
        self._unsaved = table

    def due(self, now: float) -> float | None:
        """In how many seconds `save` has something to do; None: never."""
        if self._unsaved is None:
            return None
        return max(0.0, self._saved_at + _SECONDS_BETWEEN - now)

    def save(self, now: float) -> None:
        """Whole or not at all: a crash at any point leaves the old file or the new."""
        table, self._unsaved = self._unsaved, None
        if table is None:
            return
        self._saved_at = now
        temporary = self._path.with_name(self._path.name + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Certificates in it bring their private keys.
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                os.fchmod(fd, 0o600)
                file.write(json.dumps(table.to_json()).encode())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            log.error("snapshot cannot be written", path=self._path, reason=error)
            self._unsaved = table
