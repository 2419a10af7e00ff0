"""The routers' link: a unix socket on which routers dial in, hold leases and acknowledge tables.

The messages are described in wire.py. One thread a router; there are few.
"""

import contextlib
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hythe import logs
from hythe.run.traffic import ByRelease, Traffic
from hythe.socketpath import address
from hythe.wire import LEASE_SECONDS, RouteTable, TableChange, Version

log = logs.get(__name__)

NEVER: Version = (0, 0)
SEND_TIMEOUT = struct.pack("ll", 2, 0)  # a router that hangs must not hold up the others


@dataclass
class Session:
    """One router's connection."""

    connection: socket.socket
    router: str
    takes_changes: bool = False
    tells_activity: bool = False
    sent: Version = NEVER  # the table that it has, once it has read what was sent
    version: Version = NEVER
    in_flight: dict[str, int] = field(default_factory=dict)
    watched: dict[str, dict[str, Traffic]] = field(default_factory=dict)
    heard: float = 0.0  # seconds, by the clock of Routers
    lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, table: RouteTable, change: TableChange | None = None) -> None:
        """Send a table, or only the change to it when the router has the one before."""
        with self.lock:
            if table.version <= self.sent:
                return  # a newer one was quicker
            message: dict[str, Any] = {"type": "table", "table": table.to_json()}
            if change is not None and self.takes_changes and self.sent == change.after:
                message = change.to_json()
            self.sent = table.version
            try:
                self.connection.sendall(json.dumps(message).encode() + b"\n")
            except OSError:
                self.hang_up()

    def hang_up(self) -> None:
        with contextlib.suppress(OSError):  # it is gone already; its reading thread cleans up
            self.connection.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class Report:
    """What a router says of itself."""

    version: Version
    in_flight: dict[str, int]
    watched: dict[str, dict[str, Traffic]]
    waiting: frozenset[str]  # apps of which requests are held
    served: frozenset[str]  # apps of which requests have ended since the last report

    @classmethod
    def of(cls, message: dict[str, Any]) -> "Report":
        epoch, sequence = message["version"] or NEVER
        counts = {str(target): int(n) for target, n in message["in_flight"].items()}
        watched = {
            str(word): {str(release): Traffic.of(each) for release, each in releases.items()}
            for word, releases in message.get("watched", {}).items()
        }
        waiting, served = (frozenset(map(str, message.get(k, ()))) for k in ("waiting", "served"))
        return cls((int(epoch), int(sequence)), counts, watched, waiting, served)


class Routers:
    """Who routes, and which table they have."""

    def __init__(
        self,
        path: Path,
        changed: Callable[[], None],
        ahead: Callable[[Version], None],
        waits: Callable[[Collection[str]], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._path = path
        self._changed = changed  # called when an ack or an in-flight count came in
        self._ahead = ahead  # called when a router has a table that is above ours
        self._waits = waits  # called with the apps of which requests are held
        self._told_since = self._clock()  # all routers tell which apps they serve
        self._served: dict[str, float] = {}  # when each app's requests last ended, monotonic
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        self._table: RouteTable | None = None
        self._listener: socket.socket | None = None
        self._since = self._clock()

    def start(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with address(self._path) as here:
            listener.bind(here)
        self._path.chmod(0o600)
        listener.listen(16)
        self._listener = listener
        self._since = self._clock()
        threading.Thread(target=self._accept, args=(listener,), name="routers", daemon=True).start()

    def stop(self) -> None:
        """Hang up; routers keep their table and dial again."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)  # close() alone would not wake accept()
            self._listener.close()
        with self._lock:
            sessions = list(self._sessions.values())
        for session in sessions:
            session.hang_up()

    def send(self, table: RouteTable) -> None:
        """Give every router this table, now and when one dials in."""
        with self._lock:
            before, self._table = self._table, table
            sessions = list(self._sessions.values())
        change = TableChange.between(before, table) if before is not None else None
        for session in sessions:
            session.send(table, change)

    def acked(self) -> Version | None:
        """The version that every router with a lease has reached; None when there is no router.

        A router that hung up keeps its lease to the end, since it may still serve. Right after a
        start nobody may have dialled in again yet, and an old table may still be in use: until a
        lease has passed, that counts as nothing reached.
        """
        now = self._clock()
        with self._lock:
            ours = self._table.version if self._table is not None else NEVER
            live = [s.version for s in self._sessions.values() if now - s.heard < LEASE_SECONDS]
        if live:
            return min(version if version <= ours else NEVER for version in live)
        return NEVER if now - self._since < LEASE_SECONDS else None

    def in_flight(self) -> Counter[str]:
        """Open requests by target id, over all routers with a lease."""
        now = self._clock()
        total: Counter[str] = Counter()
        with self._lock:
            for session in self._sessions.values():
                if now - session.heard < LEASE_SECONDS:
                    total.update(session.in_flight)
        return total

    def quiet_for(self, app: str) -> float:
        """Seconds since a request of the app ended, or since we began to look; 0 while nobody
        knows, since a router does not tell."""
        now = self._clock()
        with self._lock:
            live = [s for s in self._sessions.values() if now - s.heard < LEASE_SECONDS]
            if not live or not all(session.tells_activity for session in live):
                self._told_since = now
                return 0.0
            return now - max(self._served.get(app, 0.0), self._told_since)

    def watched(self, word: str) -> ByRelease:
        """What was counted under a word, over all routers that are known."""
        releases: dict[str, Traffic] = {}
        with self._lock:
            for session in self._sessions.values():
                for release, traffic in session.watched.get(word, {}).items():
                    releases[release] = releases.get(release, Traffic()) + traffic
        return releases

    def _warn_of(self, version: Version) -> None:
        with self._lock:
            table = self._table
        if table is not None and version > table.version:
            log.warning("a router has a newer table than ours", version=version)
            self._ahead(version)

    def _prune(self) -> None:
        now = self._clock()
        for router, session in list(self._sessions.items()):
            if now - session.heard >= LEASE_SECONDS:
                del self._sessions[router]

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed by stop()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, SEND_TIMEOUT)
            threading.Thread(
                target=self._serve, args=(connection,), name="router", daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        session: Session | None = None
        try:
            with connection, connection.makefile("rb") as lines:
                for line in lines:
                    session = self._hear(connection, session, json.loads(line))
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("router hung up", error=repr(error))

    def _hear(
        self, connection: socket.socket, session: Session | None, message: dict[str, Any]
    ) -> Session:
        if message["type"] == "hello":
            session = session or Session(connection, str(message["router"]), heard=self._clock())
            session.takes_changes = bool(message.get("changes", False))
            session.tells_activity = bool(message.get("activity", False))
            session.sent = NEVER  # a second hello asks for the whole table
            with self._lock:
                self._prune()
                self._sessions[session.router] = session
                table = self._table
            log.info("router dialled in", router=session.router)
            if table is not None:
                session.send(table)
        elif session is None:
            raise ValueError("a router must say hello first")
        elif message["type"] == "refused":
            log.error("a router refused the table", router=session.router, reason=message["reason"])
        if message["type"] == "report":
            report = Report.of(message)
            news = (report.version, report.in_flight) != (session.version, session.in_flight)
            session.version, session.in_flight = report.version, report.in_flight
            session.watched = report.watched
            session.heard = self._clock()
            with self._lock:
                self._served.update(dict.fromkeys(report.served, session.heard))
            if report.waiting:
                self._waits(report.waiting)
            if news:
                self._changed()
                self._warn_of(session.version)
        return session
