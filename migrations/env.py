"""Alembic's entry point: runs the revisions on the connection that hythe.model.schema passes in.

On the command line (`alembic revision --autogenerate`) it is HYTHE_HOME's database instead.
"""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, create_engine

from hythe.model import Base
from hythe.model.base import UtcDateTime
from hythe.settings import Settings


def render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Write revisions in SQLAlchemy's own words, so that they outlive our classes."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_item=render_item,
        render_as_batch=connection.dialect.name == "sqlite",  # SQLite's ALTER TABLE is too small
        transaction_per_migration=False,
        transactional_ddl=True,  # SQLite's too; else each revision would be committed by itself
    )
    context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(Settings.read().database).begin() as own:
        run(own)
