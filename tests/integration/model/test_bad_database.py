"""A database that is newer, of another installation, read-only or full; one that is gone: e2e."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from bench.postgres import NOBODY, Server
from hythe.errors import DatabaseAway, DatabaseFull, InvalidValue, OtherInstallation
from hythe.model import App, Database, Event, Installation, schema
from hythe.model.connect import connect
from hythe.model.identity import Record, establish, recognise
from hythe.serve import _home_lock
from hythe.settings import Settings

from ..api.live_api import control_plane

PLANE = [sys.executable, "-m", "hythe.serve"]


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """A migrated database of an installation."""
    engine = connect(settings.database)
    Database(settings.database).create_all()
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(
            text("INSERT INTO alembic_version VALUES (:head)"), {"head": schema.head()}
        )
    engine.dispose()
    database = Database(settings.database)
    establish(settings, database)
    yield database
    database.close()


def start(settings: Settings, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*PLANE, *command],
        env={
            **os.environ,
            "HYTHE_HOME": str(settings.home),
            "HYTHE_DATABASE_URL": settings.database_url,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_newer_database_is_refused_with_cause_and_fix(
    settings: Settings, database: Database
) -> None:
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for command in ("init", "run"):
        done = start(settings, command)
        assert done.returncode == 1
        cause, fix = done.stderr.splitlines()[-2:]
        assert "at revision 9999; this Hythe knows them up to" in cause
        assert "Run the newer Hythe that wrote it, or restore a backup." in fix


def test_a_database_of_another_installation_is_refused(
    settings: Settings, database: Database
) -> None:
    with database.write() as tx:
        tx.get_one(Installation, database.installation().id).id = "zzzzzz"
    for command in ("init", "run"):
        done = start(settings, command)
        assert done.returncode == 1
        cause, fix = done.stderr.splitlines()[-2:]
        assert "is of the installation zzzzzz, HYTHE_HOME of" in cause
        assert "Set HYTHE_DATABASE_URL to" in fix


def test_an_empty_database_under_a_home_that_has_one_is_refused(
    settings: Settings, database: Database
) -> None:
    with database.write() as tx:
        tx.execute(text("DELETE FROM installation"))
    with pytest.raises(OtherInstallation, match=r"is empty, but HYTHE_HOME has the installation"):
        establish(settings, database)


@pytest.mark.parametrize("key", ["of another", "missing"])
def test_a_key_that_is_not_the_database_s_is_refused(
    settings: Settings, database: Database, key: str
) -> None:
    settings.key_file.unlink()
    if key == "of another":
        from hythe.model import Vault

        Vault.open(settings.key_file)
    expected = "is not the key of" if key == "of another" else "whose key is not in HYTHE_HOME"
    for check in (establish, recognise):
        with pytest.raises(OtherInstallation, match=expected):
            check(settings, database)
    assert settings.key_file.exists() == (key == "of another")  # none was made


def test_a_first_start_writes_down_what_belongs_together(
    settings: Settings, database: Database
) -> None:
    record = Record.load(settings)
    assert record is not None
    assert record.id == database.installation().id
    assert settings.installation_file.stat().st_size < 200


def test_an_older_installation_without_a_record_is_adopted(
    settings: Settings, database: Database
) -> None:
    settings.installation_file.unlink()
    with database.write() as tx:
        tx.get_one(Installation, database.installation().id).key_check = None
    establish(settings, database)
    assert recognise(settings, database)[0].id == database.installation().id


@pytest.mark.postgres
def test_a_read_only_server_serves_reads_and_refuses_changes(
    postgres_server: Server, tmp_path: Path
) -> None:
    with postgres_server.ready_database() as url:
        settings = Settings(home=tmp_path, database_url=url)
        database = Database(url)
        with control_plane(settings, database) as plane, plane.client() as api:
            assert api.post("/v1/apps", json={"name": "shop"}).status_code == 201
            name = url.rpartition("/")[2]
            postgres_server.execute(
                url, f"ALTER DATABASE {name} SET default_transaction_read_only = on"
            )
            database.engine.dispose()
            assert [item["name"] for item in api.get("/v1/apps").json()["items"]] == ["shop"]
            answer = api.post("/v1/apps", json={"name": "other"})
            assert (answer.status_code, answer.json()["code"]) == (503, "database-read-only")
            assert "read-only transaction" in answer.json()["detail"]
            postgres_server.execute(
                postgres_server.url("postgres"),
                f"ALTER DATABASE {name} RESET default_transaction_read_only",
            )
            database.engine.dispose()
            assert api.post("/v1/apps", json={"name": "other"}).status_code == 201
        database.close()


READ_ONLY = """
import os, sqlite3, sys
from sqlalchemy import select
from hythe.errors import HytheError
from hythe.model import App, Database
import sqlalchemy.dialects.sqlite.pysqlite
os.setgid(65534)
os.setuid(65534)
database = Database(sys.argv[1])
with database.read() as session:
    print([app.name for app in session.scalars(select(App))])
try:
    with database.write() as tx:
        tx.add(App(name="other"))
except HytheError as error:
    print(error.code, error.cause)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody who may not write")
def test_a_read_only_file_serves_reads_and_refuses_changes(tmp_path: Path) -> None:
    folder = Path(f"/tmp/hythe-read-only-{os.getpid()}")
    folder.mkdir()
    folder.chmod(0o777)
    try:
        database = Database(f"sqlite:///{folder / 'hythe.db'}")
        database.create_all()
        with database.write() as tx:
            tx.add(App(name="shop"))
        database.close()
        command = [sys.executable, "-c", READ_ONLY, database.url]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[0] == "['shop']"
        assert done.stdout.splitlines()[1].startswith("database-read-only The database takes no")
    finally:
        subprocess.run(["rm", "-r", str(folder)], check=True)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(database: Database) -> None:
    for _ in range(200):
        with database.write() as tx:
            for _ in range(10):
                tx.note("test", "x" * 20_000, noise=os.urandom(10_000).hex())


def check_full(database: Database, enlarge: list[str]) -> None:
    """What was committed can be read, changes are refused with a reason, until there is room."""
    with database.write() as tx:
        tx.add(App(name="shop"))
    with pytest.raises(DatabaseFull, match=r"full|No space"):
        fill(database)
    with database.read() as session:
        assert session.query(App).count() == 1
        assert session.query(Event).count() % 10 == 0
    subprocess.run(enlarge, check=True)
    with database.write() as tx:
        tx.add(App(name="other"))


def test_a_full_disk_under_sqlite(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        database = Database(f"sqlite:///{disk / 'hythe.db'}")
        database.create_all()
        check_full(database, ["mount", "-o", "remount,size=16m", str(disk)])
        database.close()


@pytest.mark.postgres
def test_a_full_disk_under_postgres(postgres_server: Server) -> None:
    folder = Path(f"/tmp/hythe-full-{os.getpid()}")
    try:
        with small_disk(folder, "24m") as disk:
            os.chown(disk, NOBODY, NOBODY)
            admin = postgres_server.url("postgres")
            postgres_server.execute(admin, f"CREATE TABLESPACE small LOCATION '{disk}'")
            with postgres_server.database("TABLESPACE small") as url:
                database = Database(url)
                database.create_all()
                check_full(database, ["mount", "-o", "remount,size=64m", str(disk)])
                database.close()
            postgres_server.execute(admin, "DROP TABLESPACE small")
    finally:
        folder.rmdir()


def test_a_server_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    database = Database("postgresql://hythe@127.0.0.1:1/hythe")
    with pytest.raises(DatabaseAway, match=r"does not answer: .*refused"), database.read() as tx:
        tx.query(App).count()


def test_a_character_that_cannot_be_stored_is_the_request_s_fault(database: Database) -> None:
    if database.shared:
        with pytest.raises(InvalidValue), database.write() as tx:
            tx.note("test", "a\0b")


def test_a_home_without_a_database_says_to_prepare_it(tmp_path: Path) -> None:
    done = start(Settings(home=tmp_path), "run")
    assert done.returncode == 1
    assert "bin/up" in done.stderr
    assert json.dumps(done.stderr).count(" !     ") == 2


@pytest.mark.one_database("PostgreSQL's control planes share a home")
def test_a_second_control_plane_of_a_home_says_who_serves_it(
    settings: Settings, database: Database
) -> None:
    with _home_lock(settings, fcntl.LOCK_EX):
        done = start(settings, "run")
    assert done.returncode == 1
    assert f"already serves {settings.home} (process {os.getpid()})." in done.stderr
