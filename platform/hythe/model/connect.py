"""Connections to the database that a URL names: SQLite, or PostgreSQL through psycopg."""

from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import ArgumentError

from hythe.errors import PlatformError

LEASE_SECONDS = 10
"""How long a control plane may be silent before PostgreSQL takes away what it holds."""

_SQLITE: dict[str, Any] = {
    "cached_statements": 16  # of 17 KB each in each connection of the pool; Python's default is 128
}

_POSTGRES: dict[str, Any] = {
    "connect_timeout": 5,
    "tcp_user_timeout": LEASE_SECONDS * 1000,  # a server that is cut off is away, not slow
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    # A stopped process must not hold the write lock for ever.
    "options": f"-c idle_in_transaction_session_timeout={LEASE_SECONDS}s",
}


def connect(url: str, who: str = "hythe", **options: Any) -> Engine:
    """An engine for a URL such as `postgresql://user:password@host/name`; connects later.

    who: as PostgreSQL shows it, pg_stat_activity.application_name. Raises PlatformError for
    anything but SQLite and PostgreSQL.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return create_engine(parsed, connect_args=_SQLITE, **options)
    options.setdefault("pool_pre_ping", True)
    named = {**_POSTGRES, "application_name": who}
    return create_engine(parsed, connect_args=named, **options)


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite database; None for PostgreSQL."""
    parsed = _parse(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    return Path(parsed.database) if sqlite and parsed.database else None


def shown(url: str) -> str:
    """A URL without its password, as people type it."""
    return _parse(url).render_as_string(hide_password=True).replace("+psycopg:", ":")


def same(one: str, other: str) -> bool:
    """Whether two URLs name one database by the same words; user and options do not matter."""
    return _place(one) == _place(other)


def _place(url: str) -> tuple[object, ...]:
    parsed = _parse(url)
    return parsed.get_backend_name(), parsed.host, parsed.port, parsed.database


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    name = parsed.drivername if parsed is not None else ""
    if parsed is not None and name in ("postgres", "postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed is not None and name == "sqlite" and parsed.database:
        return parsed
    raise PlatformError(
        f"HYTHE_DATABASE_URL names no database that Hythe knows ({name or 'it is no URL'}).",
        "Write postgresql://USER:PASSWORD@HOST/NAME, or sqlite:////FOLDER/FILE.",
    )
