"""Who may look into HYTHE_HOME: the person of `credentials`, and otherwise its owner alone."""

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from hythe import serve
from hythe.model.home import PRIVATE
from hythe.settings import Settings

DATABASE = ("hythe.db", "hythe.db-wal", "hythe.db-shm")

pytestmark = pytest.mark.one_database


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_home_is_for_its_owner(settings: Settings) -> None:
    serve.init(settings)
    assert {mode(settings.home / name) for name in PRIVATE} == {0o700}
    assert mode(settings.home / "hythe.db") == 0o600
    assert mode(settings.home / "credentials") == 0o600


def test_an_open_home_of_an_earlier_version_is_closed(settings: Settings) -> None:
    serve.init(settings)
    for name in PRIVATE:
        (settings.home / name).chmod(0o755)
    for name in DATABASE:
        (settings.home / name).touch()
        (settings.home / name).chmod(0o644)
    serve.init(settings)
    assert {mode(settings.home / name) for name in PRIVATE} == {0o700}
    assert {mode(settings.home / name) for name in DATABASE if (settings.home / name).exists()} == {
        0o600
    }


def test_what_sqlite_makes_beside_the_database_is_closed_too(settings: Settings) -> None:
    from hythe.model import Database

    serve.init(settings)
    database = Database(settings.database)
    with database.write() as tx:
        tx.note("test", "Somebody looks")
        assert [mode(settings.home / name) for name in DATABASE] == [0o600] * 3
    database.close()


def test_a_database_in_another_place_is_closed(settings: Settings, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    serve.init(replace(settings, database_url=f"sqlite:///{elsewhere}"))
    assert mode(elsewhere) == 0o600
