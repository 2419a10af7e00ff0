"""Databases that have all tables at once: a copy of a file instead of fifty statements."""

import tempfile
from functools import cache
from pathlib import Path

from hythe.model import Database
from hythe.settings import Settings


def ready(settings: Settings) -> Database:
    """An installation's database with all tables; on PostgreSQL the `store` fixture made them."""
    if not settings.database_url:
        fill(settings)
    return Database(settings.database)


def fill(settings: Settings) -> None:
    """Put SQLite's file there, with all tables and no rows."""
    (settings.home / "hythe.db").write_bytes(_template())


@cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory(prefix="hythe-tables-") as folder:
        file = Path(folder) / "hythe.db"
        database = Database(f"sqlite:///{file}")
        database.create_all()
        database.close()
        return file.read_bytes()
