"""Migrations, on real databases."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, inspect, select, text
from sqlalchemy.engine import Engine

from hythe.errors import PlatformError
from hythe.model import Base, Database, Installation, Token, schema
from hythe.model.identity import recognise
from hythe.settings import Settings


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hythe.db'}"
    return str(request.getfixturevalue("postgres_url"))


def shape(engine: Engine) -> dict[str, object]:
    """Everything that the database knows about its tables, in an order of its own."""
    inspector = inspect(engine)

    def facts(items: list[dict[str, Any]]) -> list[str]:
        return sorted(json.dumps(item, sort_keys=True, default=str) for item in items)

    return {
        table: {
            "columns": [str(column) for column in inspector.get_columns(table)],
            "primary key": str(inspector.get_pk_constraint(table)),
            "foreign keys": facts(inspector.get_foreign_keys(table)),
            "unique": facts(inspector.get_unique_constraints(table)),
            "indexes": facts(inspector.get_indexes(table)),
        }
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


def fresh_tables() -> MetaData:
    """A copy: SQLAlchemy remembers in a constraint that some database made it by ALTER TABLE."""
    copy = MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.sorted_tables:
        table.to_metadata(copy)
    return copy


def test_migrated_schema_equals_a_fresh_one(url: str) -> None:
    engine = create_engine(url)
    tables = fresh_tables()
    tables.create_all(engine)
    fresh = shape(engine)
    tables.drop_all(engine)

    assert schema.migrate(url) is True

    assert shape(engine) == fresh
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_migrating_again_changes_nothing(url: str) -> None:
    schema.migrate(url)
    assert schema.migrate(url) is False


def test_processes_that_migrate_at_once_do_it_once(url: str) -> None:
    code = "import sys; from hythe.model import schema; schema.migrate(sys.argv[1])"
    command = [sys.executable, "-c", code, url]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    failures = [text for process in processes if (text := process.communicate(timeout=60)[1])]
    assert failures == []
    assert schema.migrate(url) is False


def test_database_of_a_newer_version_is_refused(url: str) -> None:
    schema.migrate(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()

    with pytest.raises(PlatformError, match="at revision 9999; this Hythe knows them up to"):
        schema.migrate(url)


def test_failed_revision_leaves_the_database_as_it_was(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.migrate(url)
    copy = tmp_path / "migrations"
    shutil.copytree(schema.folder(), copy)
    following = f"{int(schema.head()) + 1:04}"
    (copy / "versions" / f"{following}_breaks.py").write_text(
        "from alembic import op\n"
        f"revision = '{following}'\n"
        f"down_revision = {schema.head()!r}\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE half_done (id INTEGER)')\n"
        "    raise RuntimeError('no further')\n"
    )
    monkeypatch.setattr(schema, "folder", lambda: copy)

    with pytest.raises(RuntimeError, match="no further"):
        schema.migrate(url)

    engine = create_engine(url)
    assert "half_done" not in inspect(engine).get_table_names()
    engine.dispose()
    monkeypatch.undo()
    assert schema.migrate(url) is False


def test_database_that_cannot_be_opened_is_an_error_with_a_fix(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="unable to open database file"):
        schema.migrate(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder' / 'hythe.db'}")


def test_revisions_are_one_line_numbered_in_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.folder()))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [schema.head()]
    assert [revision.revision for revision in script.walk_revisions()][::-1] == schema.revisions()


@pytest.mark.postgres
def test_control_planes_that_start_at_once_on_an_empty_database_agree(
    postgres_url: str, tmp_path: Path
) -> None:
    """Real processes on one home: one schema, one installation, one key, one token."""
    environ = {**os.environ, "HYTHE_HOME": str(tmp_path), "HYTHE_DATABASE_URL": postgres_url}
    command = [sys.executable, "-m", "hythe.serve", "init"]
    starts = [
        subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [start.communicate(timeout=60)[1] for start in starts]
    assert [start.returncode for start in starts] == [0, 0, 0], said
    settings = Settings(home=tmp_path, database_url=postgres_url)
    schema.require_current(postgres_url)
    database = Database(postgres_url)
    recognise(settings, database)  # raises unless home and database belong together
    with database.read() as session:
        assert len(session.scalars(select(Installation)).all()) == 1
        assert len(session.scalars(select(Token)).all()) == 1
    database.close()
