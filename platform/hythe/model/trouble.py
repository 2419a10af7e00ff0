"""What a database driver's error means for whoever runs Hythe."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, OperationalError

from hythe.errors import DatabaseAway, DatabaseFull, DatabaseReadOnly, HytheError, InvalidValue

_SQLITE: dict[int, type[HytheError]] = {  # primary result codes
    sqlite3.SQLITE_BUSY: DatabaseAway,
    sqlite3.SQLITE_LOCKED: DatabaseAway,
    sqlite3.SQLITE_CANTOPEN: DatabaseAway,
    sqlite3.SQLITE_IOERR: DatabaseAway,
    sqlite3.SQLITE_CORRUPT: DatabaseAway,
    sqlite3.SQLITE_NOTADB: DatabaseAway,
    sqlite3.SQLITE_READONLY: DatabaseReadOnly,
    sqlite3.SQLITE_PERM: DatabaseReadOnly,
    sqlite3.SQLITE_FULL: DatabaseFull,
}
_POSTGRES: dict[str, type[HytheError]] = {  # SQLSTATE, or its class
    "08": DatabaseAway,  # connection exception
    "28": DatabaseAway,  # wrong password or user
    "3D": DatabaseAway,  # no such database
    "57P": DatabaseAway,  # shut down, or starting
    "25P03": DatabaseAway,  # silent for too long in a transaction
    "53300": DatabaseAway,  # too many connections
    "53100": DatabaseFull,
    "25006": DatabaseReadOnly,
    "42501": DatabaseReadOnly,  # insufficient privilege
}


@contextmanager
def explained() -> Iterator[None]:
    """Raise a driver's error as one with a cause and a fix, where it is known."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:  # the latter from what a new connection runs
        known = explain(error)
        if known is None:
            raise
        raise known from error


def explain(error: DBAPIError | sqlite3.Error) -> HytheError | None:
    """The error with a cause and a fix; None when it is a bug or a broken constraint."""
    driver = error if isinstance(error, sqlite3.Error) else error.orig
    if isinstance(driver, sqlite3.Error):
        kind = _of_sqlite(driver)
    else:
        assert isinstance(error, DBAPIError)
        kind = _of_postgres(error)
    if kind is None:
        return None
    if kind is InvalidValue:
        return InvalidValue("A text holds a character that cannot be stored.", "Leave it out.")
    said = (str(driver).strip().splitlines() or ["no reason given"])[0].rstrip(".")
    return kind(f"{(kind.__doc__ or '').splitlines()[0].rstrip('.')}: {said[:200]}.")


def _of_sqlite(error: sqlite3.Error) -> type[HytheError] | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else _SQLITE.get(code & 0xFF)


def _of_postgres(error: DBAPIError) -> type[HytheError] | None:
    if isinstance(error, DataError):
        return InvalidValue  # PostgreSQL stores no NUL; everything else was checked before
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # the driver itself, without an answer of the server
        gone = error.connection_invalidated or isinstance(error, OperationalError)
        return DatabaseAway if gone else None
    for length in (5, 3, 2):
        if (kind := _POSTGRES.get(state[:length])) is not None:
            return kind
    return None
