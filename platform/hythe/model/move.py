"""Moving an installation from one database to another: `hythe db:move`.

All rows are copied in one transaction of the target, and read again from both sides before it
commits, so the target holds all of them or none. The source is only read. The target's count of
moves is one higher: from then on HYTHE_HOME refuses the source (see identity.py).
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import zip_longest

from sqlalchemy import Table, func, select, text, update
from sqlalchemy.engine import Connection, RowMapping

from hythe import homefile
from hythe.errors import CannotMove
from hythe.model import schema
from hythe.model.base import Base
from hythe.model.connect import connect, same, shown
from hythe.model.database import Database
from hythe.model.home import guard_database
from hythe.model.identity import Record, recognise
from hythe.model.lead import LEAD_LOCK
from hythe.model.platform import Installation
from hythe.model.trouble import explained
from hythe.settings import Settings

BATCH = 500
UNLIKE = {"installation": {"moves", "generation"}}  # what may differ between the two


class Move:
    """From the database of the settings to another."""

    def __init__(self, settings: Settings, target: str) -> None:
        self._settings = settings
        self._source, self._target = settings.database, target
        if same(self._source, self._target):
            raise CannotMove(
                f"The installation is in {shown(target)} already.",
                "Name another target; the source is what HYTHE_DATABASE_URL says.",
            )

    def compare(self) -> None:
        """Raise CannotMove at the first row that differs."""
        schema.require_current(self._source)
        schema.require_current(self._target)
        with _reading(self._source) as source, _reading(self._target) as target:
            rows = _compare(source, target)
        _say(f"=====> {rows} rows are the same in {shown(self._source)} and {shown(self._target)}")

    def copy(self, *, replace: bool) -> None:
        """Copy, check, commit, and say what to set."""
        self._recognise()
        guard_database(self._target)
        schema.migrate(self._target)
        with _reading(self._source) as source, _writing(self._target) as target:
            _require_quiet(source, target)
            self._make_room(target, replace)
            _copy(source, target)
            _continue_ids(source, target)
            _say("-----> Checking every row")
            rows = _compare(source, target)
            moves = target.execute(
                update(Installation)
                .values(moves=Installation.moves + 1)
                .returning(Installation.id, Installation.moves)
            ).one()
        Record(moves.id, moves.moves, shown(self._target)).save(self._settings)
        own = _is_own(self._settings, self._target)
        homefile.keep(self._settings.home, {"HYTHE_DATABASE_URL": None if own else self._target})
        _say(f"=====> {rows} rows are in {shown(self._target)}; the old database is as it was")
        _say(
            "",
            f"Next: start Hythe with bin/up. {self._settings.home / homefile.NAME} names the new"
            " database;",
            f"where your shell sets HYTHE_DATABASE_URL, {'unset' if own else 'change'} it there.",
        )

    def _recognise(self) -> None:
        schema.require_current(self._source)
        database = Database(self._source)
        try:
            recognise(self._settings, database)
        finally:
            database.close()

    def _make_room(self, target: Connection, replace: bool) -> None:
        held = {table.name: _count(target, table) for table in _tables()}
        full = [f"{count} {name}" for name, count in held.items() if count]
        if full and not replace:
            raise CannotMove(
                f"{shown(self._target)} is not empty: {', '.join(full[:4])}.",
                "Name an empty database, or add --replace, which deletes what is there.",
            )
        for table in reversed(_tables() if full else []):
            cut = {key: None for key in _circular(table)}
            if cut:
                target.execute(update(table).values(cut))
        for table in reversed(_tables() if full else []):
            target.execute(table.delete())


@contextmanager
def _reading(url: str) -> Iterator[Connection]:
    """One view of a database, to its end."""
    engine = connect(url, isolation_level="SERIALIZABLE")
    try:
        with explained(), engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN")
            yield connection
            connection.rollback()
    finally:
        engine.dispose()


@contextmanager
def _writing(url: str) -> Iterator[Connection]:
    """One transaction of Database's own kind, committed at the end of the block."""
    database = Database(url)
    try:
        with database.write() as tx:
            yield tx.connection()
    finally:
        database.close()


def _tables() -> list[Table]:
    """All tables, parents first."""
    return list(Base.metadata.sorted_tables)


def _circular(table: Table) -> list[str]:
    """Columns that point to tables further on; they are set when all rows are there."""
    return [
        column.name
        for constraint in table.foreign_key_constraints
        if constraint.use_alter
        for column in constraint.columns
    ]


def _copy(source: Connection, target: Connection) -> None:
    for table in _tables():
        total, done = _count(source, table), 0
        circular = dict.fromkeys(_circular(table))
        for rows in _batches(source, table):
            target.execute(table.insert(), [{**row, **circular} for row in rows])
            done += len(rows)
            _progress(f"-----> Copying {table.name}: {done} of {total}", end=done == total)
    for table in _tables():
        for rows in _batches(source, table) if _circular(table) else ():
            for row in rows:
                links = {name: row[name] for name in _circular(table) if row[name] is not None}
                if links:
                    target.execute(update(table).where(table.c.id == row["id"]).values(links))


def _continue_ids(source: Connection, target: Connection) -> None:
    """Let ids go on where they are, since those of deleted rows must not be used again."""
    for table in _tables():
        if "id" in table.c and table.c.id.type.python_type is int:
            last = max(_last_id(source, table), _last_id(target, table))
            if last:
                _set_last_id(target, table, last)


def _last_id(connection: Connection, table: Table) -> int:
    """The highest id that was ever given, as far as the database knows."""
    highest = int(connection.scalar(select(func.max(table.c.id))) or 0)
    if connection.dialect.name == "sqlite":
        kept = connection.scalar(
            text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}
        )
    else:
        kept = connection.scalar(
            text(
                "SELECT last_value FROM pg_sequences WHERE schemaname = current_schema()"
                " AND sequencename = :name"
            ),
            {"name": f"{table.name}_id_seq"},
        )
    return max(highest, int(kept or 0))


def _set_last_id(connection: Connection, table: Table, last: int) -> None:
    if connection.dialect.name != "sqlite":
        connection.execute(
            text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)"),
            {"name": table.name, "last": last},
        )
    elif table.dialect_options["sqlite"]["autoincrement"]:
        values = {"name": table.name, "last": last}
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
        connection.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :last)"), values)


def _compare(source: Connection, target: Connection) -> int:
    """Compare all rows, in the order of their keys; returns how many there are."""
    count = 0
    for table in _tables():
        ours = (row for rows in _batches(source, table) for row in rows)
        theirs = (row for rows in _batches(target, table) for row in rows)
        for one, other in zip_longest(ours, theirs):
            if one is None or other is None or _digest(table, one) != _digest(table, other):
                key = _key(table, one or other)
                raise CannotMove(
                    f"The two differ in {table.name}, first at {key}.",
                    "Nothing was changed. Copy it again with --replace.",
                )
            count += 1
    return count


def _digest(table: Table, row: RowMapping) -> bytes:
    """Of all values of a row, in a form that does not depend on the database."""
    left_out = UNLIKE.get(table.name, set())
    values = {name: value for name, value in row.items() if name not in left_out}
    document = json.dumps(values, sort_keys=True, default=_plain)
    return hashlib.blake2b(document.encode(), digest_size=16).digest()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    raise TypeError(f"no plain form of {type(value)}")


def _key(table: Table, row: RowMapping | None) -> str:
    columns = table.primary_key.columns
    return ", ".join(f"{column.name} {row[column.name] if row else ''}" for column in columns)


def _batches(connection: Connection, table: Table) -> Iterator[list[RowMapping]]:
    everything = select(table).order_by(*table.primary_key.columns)
    rows = connection.execute(everything.execution_options(yield_per=BATCH))
    for batch in rows.mappings().partitions(BATCH):
        yield list(batch)


def _count(connection: Connection, table: Table) -> int:
    return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def _require_quiet(*connections: Connection) -> None:
    """Nobody leads on either side, and nobody can until the end of this."""
    for connection in connections:
        if connection.dialect.name == "sqlite":
            continue
        if not connection.scalar(
            text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": LEAD_LOCK}
        ):
            raise CannotMove(
                f"A control plane leads on {shown(str(connection.engine.url))}.",
                "Stop every control plane on it first: `bin/down`.",
            )


def _progress(line: str, *, end: bool) -> None:
    if sys.stdout.isatty():
        print(f"\r{line}", end="\n" if end else "", flush=True)
    elif end:
        print(line, flush=True)


def _say(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)


def _is_own(settings: Settings, target: str) -> bool:
    """Whether it is the SQLite file of the home, where the rows are without a setting."""
    own = replace(settings, database_url="")
    return same(target, own.database)
