"""hythe db:move, in both directions."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import make_app, make_build, make_deployment, make_formation, make_release
from sqlalchemy import select, text

from hythe.errors import CannotMove, OtherInstallation, PlatformError
from hythe.model import Base, Database, Deployment, Instance, Table, Token, schema
from hythe.model.identity import establish, recognise
from hythe.model.lead import Lead
from hythe.model.move import Move
from hythe.settings import Settings

pytestmark = pytest.mark.postgres
APPS = 3
EVENTS = 600  # more than one batch


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'hythe.db'}"


@pytest.fixture(params=["to PostgreSQL", "to SQLite"])
def urls(request: pytest.FixtureRequest, sqlite_url: str, postgres_url: str) -> tuple[str, str]:
    """From where, and to where."""
    pair = (sqlite_url, postgres_url)
    return pair if request.param == "to PostgreSQL" else pair[::-1]


@pytest.fixture
def settings(urls: tuple[str, str], tmp_path: Path) -> Settings:
    """An installation in which something of everything has happened."""
    settings = Settings(home=tmp_path, database_url=urls[0])
    schema.migrate(settings.database)
    database = Database(settings.database)
    _, vault = establish(settings, database)
    with database.write() as tx:
        for number in range(APPS):
            app = make_app(tx, f"shop{number}", subnet=f"10.1.{number}.0/24")
            release = make_release(tx, vault, settings, app, config={"KEY": "é\U0001f600"})
            make_build(tx, app).processes = None
            deployment = make_deployment(tx, app, release)
            deployment.build_id = release.build_id
            app.serving_id = deployment.id
            make_formation(tx, app, web=2)
            tx.add(
                Instance(
                    app_id=app.id, deployment_id=deployment.id, process="web", index=1,
                    address="10.1.0.16", state="up",
                )
            )  # fmt: skip
        for number in range(EVENTS):
            tx.note(
                "test", f"event {number}", app_id=app.id, number=number, nested={"a": [1, None]}
            )
        tx.add(Table(epoch=5, sequence=1, document="{}"))
        tx.add(Token(name="a token", hash="f" * 64, scope="read"))
        gone = make_app(tx, "gone")
        tx.flush()
        tx.delete(gone)
    database.close()
    return settings


@pytest.fixture
def target(urls: tuple[str, str]) -> Iterator[Database]:
    database = Database(urls[1])
    yield database
    database.close()


def rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    database = Database(url)
    with database.read() as session:
        found = {
            table.name: [
                tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))
            ]
            for table in Base.metadata.sorted_tables
        }
    database.close()
    return found


def moved(settings: Settings, url: str) -> Settings:
    return replace(settings, database_url=url)


def test_every_row_arrives_and_the_source_stays_as_it_was(
    settings: Settings, urls: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = rows(urls[0])
    Move(settings, urls[1]).copy(replace=False)
    assert rows(urls[0]) == before
    after = rows(urls[1])
    installation = before.pop("installation")[0]
    assert after.pop("installation")[0][:2] == installation[:2]
    assert after == before
    assert len(after["events"]) == EVENTS
    out = capsys.readouterr().out
    assert f"Copying events: {EVENTS} of {EVENTS}" in out
    assert "HYTHE_DATABASE_URL" in out
    Move(settings, urls[1]).compare()


def test_ids_go_on_and_those_of_deleted_rows_are_not_used_again(
    settings: Settings, urls: tuple[str, str], target: Database
) -> None:
    Move(settings, urls[1]).copy(replace=False)
    with target.write() as tx:
        app = make_app(tx, "new")
        make_deployment(tx, app)
        tx.note("test", "one more")
    assert app.id == APPS + 2


def test_hythe_serves_the_target_and_refuses_the_source_from_then_on(
    settings: Settings, urls: tuple[str, str], target: Database
) -> None:
    Move(settings, urls[1]).copy(replace=False)
    there = moved(settings, urls[1])
    _, vault = recognise(there, target)
    with target.read() as session:
        release = session.execute(select(Base.metadata.tables["releases"])).first()
        assert release is not None
        assert vault.unseal_map(release.config) == {"KEY": "é\U0001f600"}
    source = Database(urls[0])
    with pytest.raises(OtherInstallation, match="left by `hythe db:move`"):
        recognise(settings, source)
    source.close()


def test_there_and_back_again(settings: Settings, urls: tuple[str, str]) -> None:
    before = rows(urls[0])
    Move(settings, urls[1]).copy(replace=False)
    back = Move(moved(settings, urls[1]), urls[0])
    with pytest.raises(CannotMove, match=r"not empty: .* apps"):
        back.copy(replace=False)
    back.copy(replace=True)
    after = rows(urls[0])
    assert after.pop("installation") != before.pop("installation")
    assert after == before
    source = Database(urls[0])
    assert recognise(settings, source)[0].moves == 2
    source.close()


def test_check_finds_the_row_that_differs(
    settings: Settings, urls: tuple[str, str], target: Database
) -> None:
    Move(settings, urls[1]).copy(replace=False)
    with target.write() as tx:
        tx.get_one(Deployment, 2).description = "changed"
    with pytest.raises(CannotMove, match="differ in deployments, first at id 2"):
        Move(settings, urls[1]).compare()


def test_a_copy_that_fails_leaves_the_target_empty(
    settings: Settings, urls: tuple[str, str], target: Database
) -> None:
    schema.migrate(urls[1])
    with target.write() as tx:  # a target that spoils what is written to it
        spoil = "UPDATE deployments SET description = 'spoilt' WHERE id = NEW.id"
        if target.shared:
            tx.execute(
                text(
                    f"CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS"
                    f" $$ BEGIN {spoil}; RETURN NEW; END $$"
                )
            )
            spoil = "EXECUTE FUNCTION spoil()"
        else:
            spoil = f"BEGIN {spoil}; END"
        tx.execute(text(f"CREATE TRIGGER t AFTER INSERT ON deployments FOR EACH ROW {spoil}"))
    with pytest.raises(CannotMove, match="differ in deployments, first at id 1"):
        Move(settings, urls[1]).copy(replace=False)
    assert not any(rows(urls[1]).values())
    source = Database(urls[0])
    recognise(settings, source)  # nothing has moved
    source.close()


def test_the_same_database_is_no_target(settings: Settings, urls: tuple[str, str]) -> None:
    with pytest.raises(CannotMove, match="already"):
        Move(settings, urls[0])


def test_a_move_while_another_control_plane_leads_is_refused(
    settings: Settings, urls: tuple[str, str], postgres_url: str
) -> None:
    schema.migrate(postgres_url)
    database = Database(postgres_url)
    elsewhere = replace(settings, home=settings.home / "elsewhere")
    elsewhere.home.mkdir()
    if urls[1] == postgres_url:
        establish(elsewhere, database)
    lead = Lead(database)
    assert lead.try_take()
    with pytest.raises(CannotMove, match="A control plane leads on"):
        Move(settings, urls[1]).copy(replace=True)
    lead.release()
    database.close()


def command(settings: Settings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "hythe.cli", "db:move", *arguments],
        env={
            **os.environ,
            "HYTHE_HOME": str(settings.home),
            "HYTHE_DATABASE_URL": settings.database_url,
        },
        capture_output=True,
        text=True,
    )


def test_the_command_refuses_while_hythe_runs_and_works_when_it_is_stopped(
    settings: Settings, urls: tuple[str, str]
) -> None:
    settings.run_dir.mkdir(exist_ok=True)
    with (settings.run_dir / "control.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        done = command(settings, urls[1])
        assert done.returncode == 1
        assert "Another control plane already serves" in done.stderr
        assert "bin/down" in done.stderr
    done = command(settings, urls[1])
    assert done.returncode == 0, done.stderr
    assert "=====> " in done.stdout
    done = command(settings, "--check", urls[1])
    assert done.returncode == 0, done.stderr
    assert "rows are the same" in done.stdout


def test_a_target_of_another_kind_is_refused(settings: Settings) -> None:
    with pytest.raises(PlatformError, match="names no database that Hythe knows"):
        Move(settings, "mysql://somewhere/hythe")
