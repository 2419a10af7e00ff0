"""Rows as JSON lines, the same for SQLite and PostgreSQL, so that one can be restored as the other.

The tables are read from the database itself, not from the models: a backup is loaded at the
revision at which it was taken, and migrated then.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Connection,
    ForeignKey,
    MetaData,
    Table,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.schema import sort_tables
from sqlalchemy.types import DateTime, LargeBinary, TypeEngine

BATCH = 500
LEFT_OUT = frozenset({"alembic_version", "instances", "route_tables"})
"""What describes the machine that is left behind: containers, addresses, tables of routers."""


def tables(connection: Connection) -> list[Table]:
    """The tables as they are; one comes after those that its rows cannot be without."""
    metadata = MetaData()
    metadata.reflect(connection)
    return list(sort_tables(metadata.tables.values(), skip_fn=_optional))  # type: ignore[arg-type]


def dump(connection: Connection, table: Table) -> Iterator[str]:
    """The rows of a table, a JSON object each."""
    for row in connection.execute(select(table).order_by(*table.primary_key.columns)):
        pairs = zip(table.columns, row, strict=True)
        yield json.dumps({column.name: _out(value) for column, value in pairs})


def highest_ids(connection: Connection) -> dict[str, int]:
    """The highest id that each table ever gave away: ids are parts of names, and never used again.

    Where the database does not keep it, it is the highest that is there.
    """
    highest: dict[str, int] = {}
    for table in tables(connection):
        if (column := _counted(table)) is not None:
            highest[table.name] = connection.scalar(select(func.max(column))) or 0
    if connection.dialect.name == "sqlite":
        known = connection.execute(text("SELECT name, seq FROM sqlite_sequence")).all()
    else:
        known = connection.execute(
            text(
                "SELECT table_name, last_value FROM information_schema.columns c JOIN pg_sequences"
                " s ON s.schemaname || '.' || s.sequencename = pg_get_serial_sequence("
                "quote_ident(c.table_name), c.column_name) WHERE last_value IS NOT NULL"
                " AND c.table_schema = current_schema()"
            )
        ).all()
    for name, last in known:
        highest[name] = max(highest.get(name, 0), last)
    return highest


def load(connection: Connection, rows: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Insert rows, by table, into empty tables; returns how many of each.

    A foreign key to a table that comes later (an app's serving deployment) is filled in at the end.
    """
    counts: dict[str, int] = {}
    order = tables(connection)
    late: list[tuple[Table, dict[str, Any], dict[str, Any]]] = []
    for number, table in enumerate(order):
        following = {later.name for later in order[number:]}
        batch: list[dict[str, Any]] = []
        counts[table.name] = 0
        for line in rows.get(table.name, ()):
            values = _in(table, json.loads(line))
            counts[table.name] += 1
            held = {
                key.parent.name: values[key.parent.name]
                for key in table.foreign_keys
                if key.column.table.name in following and values.get(key.parent.name) is not None
            }
            if held:
                late.append((table, values, held))
            batch.append({**values, **dict.fromkeys(held)})
            if len(batch) == BATCH:
                connection.execute(insert(table), batch)
                batch.clear()
        if batch:
            connection.execute(insert(table), batch)
    for table, values, held in late:
        same = [column == values[column.name] for column in table.primary_key.columns]
        connection.execute(update(table).where(*same).values(held))
    return counts


def continue_ids(connection: Connection, highest: Mapping[str, int]) -> None:
    """Let the next ids follow the highest ones that were ever given away."""
    sqlite = connection.dialect.name == "sqlite"
    for table in tables(connection):
        last = highest.get(table.name, 0)
        column = _counted(table)
        if not last or column is None:
            continue
        if sqlite:
            where = {"name": table.name, "last": last}
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), where)
            connection.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :last)"), where)
        else:
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            connection.execute(select(func.setval(sequence, last)))


def _optional(key: ForeignKey) -> bool:  # which it gets, whatever its type hint says
    """Whether rows may be inserted first, and refer to the other table later."""
    return bool(key.parent.nullable)


def _counted(table: Table) -> Any:
    """The column of a table that the database counts up, if there is one."""
    columns = list(table.primary_key.columns)
    whole = len(columns) == 1 and columns[0].type.python_type is int
    return columns[0] if whole else None


def _out(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat()
    return value


def _in(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(table.columns[name].type, value) for name, value in values.items()}


def _value(kind: TypeEngine[Any], value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, LargeBinary):
        return base64.b64decode(value)
    if isinstance(kind, DateTime):
        return datetime.fromisoformat(value)
    return value
