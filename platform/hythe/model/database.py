"""The database: transactions, and the bells that ring after a commit."""

import copy
import secrets
import sqlite3
import string
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, func, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from hythe.model.app import App
from hythe.model.base import Base
from hythe.model.connect import connect
from hythe.model.platform import Event, Installation
from hythe.model.trouble import explained

BUSY_SECONDS = 15
CHANNEL = "hythe_bells"  # PostgreSQL: pokes for the other control planes
WRITE_LOCK = 0x48595457  # PostgreSQL: one write transaction at a time, as SQLite has it


class Bell:
    """Wakes one waiter. Rings are keys (app ids), so that a burst is one wake-up."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._keys: set[int] = set()

    def ring(self, *keys: int) -> None:
        with self._condition:
            self._keys.update(keys)
            self._condition.notify_all()

    def wait(self, timeout: float) -> set[int]:
        """The keys rung since the last call; an empty set after timeout seconds."""
        with self._condition:
            if not self._keys:
                self._condition.wait(timeout)
            keys, self._keys = self._keys, set()
            return keys


class Write(Session):
    """A write transaction. `poke` says whose desired state changed; bells ring after the commit."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, expire_on_commit=False)
        self.poked: set[int] = set()

    def poke(self, app_id: int) -> None:
        self.poked.add(app_id)

    def note(
        self,
        kind: str,
        message: str,
        *,
        actor: str = "hythe",
        app_id: int | None = None,
        **data: Any,
    ) -> None:
        """Record an event; it says whose it was after the app has gone, too."""
        if app_id is not None and (app := self.get(App, app_id)) is not None:
            data = {"app": app.id, "app_name": app.name, **data}
        self.add(Event(kind=kind, message=message, actor=actor, app_id=app_id, data=data))


class Database:
    """SQLite in WAL mode, or PostgreSQL. Either has one write transaction at a time.

    SQLite's start with BEGIN IMMEDIATE, PostgreSQL's with an advisory lock: what a transaction has
    read stays true until its commit. Transactions raise DatabaseAway, DatabaseReadOnly and
    DatabaseFull; the next one may succeed again.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = connect(url)
        self._bells: list[Bell] = []
        self._after_commit: list[Callable[[], None]] = []
        self._name = secrets.token_hex(4)
        self._examine: Callable[[Write], None] = lambda _: None
        self._sqlite = self.engine.dialect.name == "sqlite"
        if self._sqlite:
            _prepare_sqlite(self.engine)

    @property
    def shared(self) -> bool:
        """Whether several control planes may use it at once."""
        return not self._sqlite

    def subscribe(self) -> Bell:
        """A bell that rings with the poked app ids after each commit in this process."""
        bell = Bell()
        self._bells.append(bell)
        return bell

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call after each commit of this process, whatever it changed; must return at once."""
        self._after_commit.append(call)

    def ring(self, *app_ids: int) -> None:
        for bell in self._bells:
            bell.ring(*app_ids)

    def hear(self, notice: str) -> None:
        """Ring for a commit of another process: "NAME 1,2", its name and the poked app ids."""
        name, _, ids = notice.partition(" ")
        if name != self._name:
            self.ring(*map(int, ids.split(",")))

    def fenced(self, examine: "Callable[[Write], None]") -> "Database":
        """This database and its bells, for one who must lead: `examine` opens each write."""
        fenced = copy.copy(self)
        fenced._examine = examine
        return fenced

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view; objects stay usable afterwards, changes are thrown away."""
        with explained(), Session(self.engine, expire_on_commit=False, autoflush=False) as session:
            if not self._sqlite:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session
            session.expunge_all()

    @contextmanager
    def write(self) -> Iterator[Write]:
        """A transaction that is committed at the end of the block, or rolled back on an error."""
        with explained(), Write(self.engine) as session:
            session.connection(execution_options={"hythe_write": True})
            if not self._sqlite:
                session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITE_LOCK})
            self._examine(session)
            yield session
            if session.poked and not self._sqlite:
                notice = f"{self._name} {','.join(map(str, session.poked))}"
                session.execute(select(func.pg_notify(CHANNEL, notice)))
            session.commit()
        if session.poked:
            self.ring(*session.poked)
        for call in self._after_commit:
            call()

    def create_all(self) -> None:
        """Make the tables without migrations; for tests."""
        Base.metadata.create_all(self.engine)

    def installation(self) -> Installation:
        """This installation's row, made on the first call."""
        with self.read() as session:
            known: Installation | None = session.scalar(select(Installation))
        if known is not None:
            return known
        with self.write() as tx:
            row = tx.scalar(select(Installation))
            if row is None:
                alphabet = string.ascii_lowercase + string.digits
                name = "".join(secrets.choice(alphabet) for _ in range(6))
                row = Installation(id=name, epoch=secrets.randbelow(2**31) + 1)
                tx.add(row)
            return row

    def close(self) -> None:
        self.engine.dispose()


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy's begin event decides, not the driver
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -256")  # KiB for each connection of the pool

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        options = connection.get_execution_options()
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("hythe_write") else "BEGIN")
