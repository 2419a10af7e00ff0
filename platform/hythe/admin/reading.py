"""A look at an installation's database, whatever its revision."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from hythe.errors import PlatformError
from hythe.model.connect import connect, shown
from hythe.model.identity import Record
from hythe.model.trouble import explained
from hythe.settings import Settings


@contextmanager
def reading(settings: Settings) -> Iterator[Connection]:
    """A connection; a database file that is not there is not made. Raises PlatformError."""
    if not settings.database_url and not (settings.home / "hythe.db").exists():
        record = Record.load(settings)
        raise PlatformError(
            f"There is no database in {settings.home}.",
            f"Set HYTHE_DATABASE_URL to {record.database}, with its password."
            if record is not None and record.database != shown(settings.database)
            else "Set HYTHE_HOME to the one you mean.",
        )
    engine = connect(settings.database)
    try:
        with explained(), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
