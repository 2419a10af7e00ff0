"""The lead: of several control planes on one PostgreSQL database, one acts.

It holds a session's advisory lock, and with it a generation: a number that only grows. Three fences
stand against one that lost the lead and does not know it yet, because it was stopped or cut off:

- each of its write transactions compares the generation (`examine`),
- right before each change of the engine it asks the session that holds the lock (`check`),
- the server itself ends a session that is silent for LEASE_SECONDS, and with it the lock.

On SQLite there is one control plane a home, by a file lock (see serve.py), and nothing to lead.
"""

import contextlib
import os
import re
import socket
import threading
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

import hythe
from hythe import logs
from hythe.errors import LeadLost, PlatformError
from hythe.model.connect import LEASE_SECONDS, connect
from hythe.model.database import Database, Write
from hythe.model.platform import Installation
from hythe.model.trouble import explained

LEAD_LOCK = 0x4859544C
BEAT_SECONDS = 1.0
OLDEST_SERVER = 14  # the first with idle_session_timeout

WHO = "hythe control plane"  # PostgreSQL keeps 63 characters of the whole name

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Plane:
    """A control plane on a database, as the server knows it by its session."""

    version: str
    host: str
    pid: int
    leads: bool


def planes(connection: Connection) -> list[Plane]:
    """The control planes that lead or stand by on this database now; on SQLite none is known."""
    if connection.dialect.name != "postgresql":
        return []
    rows = connection.execute(
        text(
            "SELECT a.application_name, EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid"
            " AND l.locktype = 'advisory' AND l.objid = :key AND l.granted)"
            " FROM pg_stat_activity a WHERE a.datname = current_database() ORDER BY 1"
        ),
        {"key": LEAD_LOCK},
    )
    found = ((re.fullmatch(rf"{WHO} (\S+) (.+)/(\d+)", name or ""), leads) for name, leads in rows)
    return [Plane(name[1], name[2], int(name[3]), leads) for name, leads in found if name]


class Lead:
    """One control plane's part in the lead. All methods may be called from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._engine = connect(
            database.url,
            f"{WHO} {hythe.__version__} {socket.gethostname()[:24]}/{os.getpid()}",
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
        )
        self._lock = threading.Lock()
        self._session: Connection | None = None
        self.generation = 0  # of the installation's row, once this one leads

    def try_take(self) -> bool:
        """Whether this control plane leads from now on. Raises DatabaseAway, DatabaseReadOnly."""
        with self._lock, explained():
            try:
                return self._try_take()
            except BaseException:
                self._hang_up()
                raise

    def check(self) -> None:
        """Raise LeadLost unless the session that holds the lock lives."""
        with self._lock:
            if self._session is None:
                raise LeadLost
            try:
                self._session.execute(text("SELECT 1"))
            except SQLAlchemyError as error:
                self._hang_up()
                raise LeadLost from error

    def examine(self, tx: Write) -> None:
        """Raise LeadLost if another one leads; inside a write transaction, which it outlives."""
        if tx.scalar(select(Installation.generation)) != self.generation:
            raise LeadLost

    def keep(self, stopping: threading.Event) -> bool:
        """Hold the lead until told to stop or released; False when it is lost."""
        generation = self.generation
        while not stopping.wait(BEAT_SECONDS) and self.generation == generation:
            try:
                self.check()
            except LeadLost:
                return self.generation != generation
        return True

    def release(self) -> None:
        """Give the lead up, if it is ours."""
        with self._lock:
            self.generation = 0
            self._hang_up()

    def _try_take(self) -> bool:
        if self._session is None:
            self._session = self._open()
        if not self._session.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LEAD_LOCK}):
            return False
        with self._database.write() as tx:  # after the last transaction of the one before
            installation = tx.scalars(select(Installation)).one()
            installation.generation += 1
        self._session.execute(text(f"SET idle_session_timeout = '{LEASE_SECONDS}s'"))
        self.generation = installation.generation
        log.info("this control plane leads", generation=self.generation)
        return True

    def _open(self) -> Connection:
        session = self._engine.connect()
        version = int(session.scalar(text("SHOW server_version_num")) or 0)
        if version < OLDEST_SERVER * 10000:
            session.close()
            raise PlatformError(
                "The PostgreSQL server is too old.", f"Use PostgreSQL {OLDEST_SERVER} or newer."
            )
        return session

    def _hang_up(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(SQLAlchemyError):  # the server may have closed it first
                session.invalidate()
                session.close()
