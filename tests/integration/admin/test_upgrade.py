"""What upgrade:check finds, on real databases; each finding that stops has a fix."""

import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from builders import make_app, make_release
from sqlalchemy import create_engine, text

import hythe
from bench.postgres import Server
from hythe.admin import upgrade
from hythe.errors import EngineAway
from hythe.model import Database, Vault, schema
from hythe.model.connect import connect
from hythe.model.lead import Lead
from hythe.settings import Settings


@pytest.fixture
def home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with an app; the engine is not what these tests are about."""
    schema.migrate(settings.database)
    database = Database(settings.database)
    database.installation()
    with database.write() as tx:
        make_release(tx, Vault.open(settings.key_file), settings, make_app(tx))
    database.close()
    monkeypatch.setattr(upgrade, "_engine", lambda _names: iter(()))
    return replace(settings, api_port=9)


def report(settings: Settings) -> tuple[bool, str]:
    said: list[str] = []
    well = upgrade.check(settings, said.append)
    return well, "\n".join(said)


def test_nothing_to_do_is_said_and_nothing_is_changed(home: Settings) -> None:
    before = (home.home / "hythe.db").read_bytes()
    well, said = report(home)
    assert well
    assert "there is nothing to migrate" in said
    assert "1 releases keep their specs" in said
    assert "No app restarts" in said
    assert (home.home / "hythe.db").read_bytes() == before


@pytest.mark.parametrize(
    ("body", "well"),
    [
        ("    op.add_column('apps', None)\n", True),
        ("    op.drop_column('apps', 'name')\n", False),
        ("    with op.batch_alter_table('apps') as b:\n        b.drop_column('name')\n", False),
    ],
)
def test_a_pending_migration_is_named_and_read(
    home: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str, well: bool
) -> None:
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    for path in (schema.folder() / "versions").glob("[0-9]*.py"):
        (versions / path.name).write_text(path.read_text())
    (versions / "9999_more_columns.py").write_text(f"def upgrade():\n{body}")
    monkeypatch.setattr(schema, "folder", lambda: tmp_path / "migrations")
    verdict, said = report(home)
    assert verdict is well
    assert "Migration 9999, more columns" in said


def test_a_newer_database_is_refused_with_a_fix(home: Settings) -> None:
    engine = create_engine(home.database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    well, said = report(home)
    assert not well
    assert "at revision 9999" in said and "Run the newer Hythe" in said


def test_specs_and_snapshots_of_another_version_are_found(home: Settings) -> None:
    engine = create_engine(home.database)
    with engine.begin() as connection:
        spec = json.loads(connection.scalar(text("SELECT spec FROM releases")) or "")
        new = {"spec": json.dumps({**spec, "format": 9})}
        connection.execute(text("UPDATE releases SET spec = :spec"), new)
    engine.dispose()
    (home.home / "router").mkdir()
    (home.home / "router" / "snapshot.json").write_text('{"epoch": 1}')
    well, said = report(home)
    assert not well
    assert "specs of format 9" in said
    assert "cannot read the router's snapshot" in said


def test_an_engine_that_is_away_is_a_finding(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise EngineAway

    monkeypatch.setattr(upgrade.docker, "connect", away)
    from hythe.names import Names

    (found,) = upgrade._engine(Names("abcdef"))
    assert found.fix


@pytest.mark.postgres
def test_other_control_planes_on_the_database_are_named(
    home: Settings, postgres_server: Server
) -> None:
    with postgres_server.ready_database() as url:
        database = Database(url)
        database.installation()
        leader, other = Lead(database), Lead(database)
        assert leader.try_take() and not other.try_take()
        settings = replace(home, database_url=url)
        engine = connect(url)
        with engine.connect() as connection:
            found = list(upgrade._others(settings, connection))
            assert sorted(one.text.split(",")[0] for one in found) == [
                f"Another control plane {role}: Hythe {hythe.__version__} on"
                f" {socket.gethostname()[:24]}"
                for role in ("leads", "stands by")
            ]
            assert all("Stop it first" in one.fix for one in found)
            settings.run_dir.mkdir()
            (settings.run_dir / "control-plane.pid").write_text(f"{os.getpid()} 1\n")
            assert list(upgrade._others(settings, connection)) == []
            leader.release()
            other.release()
        engine.dispose()
        database.close()


def test_migrations_of_this_code_only_add() -> None:
    for path in sorted((schema.folder() / "versions").glob("[0-9]*.py")):
        assert upgrade.narrows(path.read_text()) == set(), path.name
