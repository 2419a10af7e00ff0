"""The schema of the database: brings it to the newest revision of migrations/."""

import logging
from importlib import resources
from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from hythe.errors import DatabaseNewer, PlatformError
from hythe.model.connect import connect
from hythe.model.trouble import explained

ADVISORY_LOCK = 0x48595448  # one migration at a time on PostgreSQL; any constant does


def migrate(url: str, revision: str | None = None) -> bool:
    """Upgrade the database at a SQLAlchemy URL, to the newest revision or to an earlier one.

    Returns whether there was something to do. All or nothing, and safe to call from several
    processes at once. Raises DatabaseNewer, and what else a transaction raises.
    """
    engine = connect(url)
    try:
        with explained(), engine.connect() as connection:
            if current(connection) == (revision or head()):
                return False
            connection.rollback()
            _upgrade(connection, revision or "head")
            return True
    finally:
        engine.dispose()


def require_current(url: str) -> None:
    """Raise PlatformError unless the database is at this code's revision."""
    engine = connect(url)
    try:
        with explained(), engine.connect() as connection:
            found = current(connection)
    finally:
        engine.dispose()
    if found != head():
        raise PlatformError(
            f"The database is at revision {found}; this Hythe needs {head()}.",
            "Run `bin/up`, or `hythe serve init`, which brings it up to date.",
        )


def current(connection: Connection) -> str | None:
    """The database's revision; None for an empty one. Alembic is too slow to import for this."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if revision is not None and revision not in revisions():
        raise DatabaseNewer(
            f"The database is at revision {revision}; this Hythe knows them up to {head()}."
        )
    return revision


def revisions() -> list[str]:
    """All revisions, oldest first. They are numbered: 0001_what.py is revision 0001."""
    files = (folder() / "versions").glob("[0-9]*_*.py")
    return sorted(path.name.partition("_")[0] for path in files)


def head() -> str:
    return revisions()[-1]


def folder() -> Path:
    """migrations/ of the checkout, or of the installed wheel."""
    package = Path(str(resources.files("hythe")))
    installed = package / "_share" / "migrations"
    return installed if installed.is_dir() else package.parent.parent / "migrations"


def _upgrade(connection: Connection, revision: str) -> None:
    """Run the missing revisions in one transaction."""
    from alembic import command
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(folder()))
    config.attributes["connection"] = connection
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        _begin_sqlite(connection)
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    command.upgrade(config, revision)
    if sqlite and (orphans := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
        raise PlatformError(f"The migration would leave {len(orphans)} rows without their parents.")
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    """Begin a write transaction that may rebuild tables without cascading to their children.

    The driver would commit before every CREATE TABLE, so it is told to leave transactions alone.
    """
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.isolation_level = None
    driver.execute("PRAGMA busy_timeout = 15000")
    driver.execute("PRAGMA journal_mode = WAL")
    driver.execute("PRAGMA foreign_keys = OFF")
    driver.execute("BEGIN IMMEDIATE")
