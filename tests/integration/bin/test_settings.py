"""The settings of an installation: typed once, kept in its home, taken up by every program."""

import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from setup.output import Problem
from setup.place import Place
from setup.up import main as up_main

from hythe import homefile
from hythe.errors import BadSettingsFile
from hythe.settings import Settings

URL = "postgresql://hythe:secret@127.0.0.1/hythe?password=secret"
TYPED = {
    "HYTHE_BIND": "0.0.0.0",
    "HYTHE_HTTP_PORT": "9000",
    "HYTHE_DATABASE_URL": URL,
    "HYTHE_INSTANCE_MEMORY": "1073741824",
    "PIP_INDEX_URL": 'https://index.example/a\'b "c" $d/',
}


@pytest.fixture
def typed(place: Place, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of somebody who types bin/up with settings; HYTHE_HOME of all others."""
    home = {"HYTHE_HOME": str(place.home)}
    for name, value in {**home, **TYPED, "HYTHE_TOKEN": "x", "SECRET": "y"}.items():
        monkeypatch.setenv(name, value)
    Place.here(os.environ).remember()
    for name in (*TYPED, "HYTHE_TOKEN", "SECRET"):
        monkeypatch.delenv(name)
    return home


def test_the_next_start_has_the_settings_of_the_last(place: Place, typed: dict[str, str]) -> None:
    later = Place.here(typed)
    assert (later.bind, later.http_port) == ("0.0.0.0", 9000)
    assert TYPED.items() <= typed.items()
    assert not {"SECRET", "HYTHE_TOKEN"} & typed.keys()
    later.check_unchanged()


def test_what_is_typed_wins_and_is_kept_from_then_on(
    place: Place, typed: dict[str, str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name, value in {"HYTHE_HTTP_PORT": "9001", "HYTHE_DATABASE_URL": f"{URL}2"}.items():
        monkeypatch.setenv(name, value)
    Place.here(os.environ).remember()
    printed = capsys.readouterr().out
    assert "HYTHE_HTTP_PORT is 9001 from now on; it was 9000" in printed
    assert "HYTHE_DATABASE_URL" in printed and "secret" not in printed
    assert Place.here(typed).http_port == 9001


def test_the_file_is_for_its_owner_and_other_lines_stay(
    place: Place, typed: dict[str, str]
) -> None:
    file = place.home / homefile.NAME
    assert file.stat().st_mode & 0o777 == 0o600
    assert "secret" not in (place.run / "settings.json").read_text()
    file.write_text("# mine\n\nexport HYTHE_HTTP_PORT='9000' \n; old\nOTHER=a b\n")
    homefile.keep(place.home, {"HYTHE_HTTP_PORT": "9001", "HYTHE_DOMAIN": "a.example"})
    homefile.keep(place.home, {"HYTHE_DOMAIN": None, "OTHER": "a b"})
    assert file.read_text() == "# mine\n\n; old\nOTHER=a b\nHYTHE_HTTP_PORT=9001\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_shell_reads_the_same(place: Place, typed: dict[str, str]) -> None:
    shell = f'. "{place.home}/hythe.env"; printf %s "$PIP_INDEX_URL"'
    said = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, env={})
    assert said.stdout == TYPED["PIP_INDEX_URL"]


@pytest.mark.parametrize("line", ["HYTHE_HTTP_PORT", "HYTHE DOMAIN=x", "A='b"])
def test_a_line_that_cannot_be_read_is_named(place: Place, line: str) -> None:
    (place.home / homefile.NAME).write_text(f"# fine\n{line}\n")
    with pytest.raises(BadSettingsFile, match=r"Line 2 of .*hythe\.env"):
        homefile.read(place.home)
    with pytest.raises(Problem, match="Line 2"):
        Place.here({"HYTHE_HOME": str(place.home)})


@pytest.mark.parametrize("command", [["hythe.admin", "upgrade:check"], ["hythe.serve", "init"]])
def test_other_programs_take_the_settings_up(
    place: Place, typed: dict[str, str], command: list[str]
) -> None:
    """Both go to the database that bin/up was told, where nobody answers."""
    homefile.keep(place.home, {"HYTHE_DATABASE_URL": "postgresql://hythe@127.0.0.1:1/hythe"})
    (place.home / "key").touch()
    environ = {"HYTHE_HOME": str(place.home), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-m", *command], env=environ, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "The database does not answer" in done.stdout + done.stderr


def test_an_installation_of_before_the_file_keeps_its_ports(place: Place) -> None:
    Place.of({"HYTHE_HOME": str(place.home), "HYTHE_HTTP_PORT": "9000"}).remember()
    (place.home / homefile.NAME).unlink()
    assert Place.here({"HYTHE_HOME": str(place.home)}).http_port == 9000


def test_a_running_installation_refuses_other_settings(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.remember()
    place.check_unchanged()
    monkeypatch.setenv("HYTHE_HOME", str(place.home))
    monkeypatch.setenv("HYTHE_HTTP_PORT", "9999")
    (place.run / "router.pid").write_text(_this_process())
    with pytest.raises(Problem, match=r"other settings: HYTHE_HTTP_PORT=8080 \(here 9999\)") as no:
        up_main(["--yes", "--detach"])
    assert "bin/up --restart" in no.value.fix


def _this_process() -> str:
    fields = Path("/proc/self/stat").read_text().split()
    return f"{fields[0]} {fields[21]}"


def test_a_moved_database_is_the_one_that_the_home_names(place: Place) -> None:
    home = {"HYTHE_HOME": str(place.home)}
    place.remember()
    moved = {"id": "abcdef", "moves": 1, "database": "postgresql://hythe:***@127.0.0.1/hythe"}
    (place.home / "installation").write_text(json.dumps(moved))
    url = "postgres://hythe:secret@127.0.0.1/hythe"
    Place.of({**home, "HYTHE_DATABASE_URL": url}).check_unchanged()
    with pytest.raises(Problem, match=r"HYTHE_DATABASE_URL=postgresql://hythe@127\.0\.0\.1/hythe"):
        place.check_unchanged()
    moved["database"] = f"sqlite:///{place.home}/hythe.db"
    (place.home / "installation").write_text(json.dumps(moved))
    place.check_unchanged()


def test_every_setting_is_remembered() -> None:
    kept = set(json.loads(Place.of({})._settings()))
    assert kept == {field.name for field in fields(Settings)} - {"home"}
