"""Fixtures of the command line's tests: real commands against a real API."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from builders import make_app, make_deployment, make_formation, make_release

from hythe.cli.main import main
from hythe.model import App, Database
from hythe.settings import Settings

from ..live_api import ControlPlane, control_plane


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


Hythe = Callable[..., Ran]


@pytest.fixture
def plane(settings: Settings, database: Database) -> Iterator[ControlPlane]:
    with control_plane(settings, database) as plane:
        yield plane


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, which is no git repository; a home without configuration."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    return folder


@pytest.fixture
def repository(folder: Path) -> Path:
    """The working directory as a git repository."""
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
    return folder


@pytest.fixture
def hythe(
    plane: ControlPlane,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Hythe:
    """Run a command line with a token that may do everything."""
    monkeypatch.setenv("HYTHE_API", plane.url)
    monkeypatch.setenv("HYTHE_TOKEN", plane.token())

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def shop(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> App:
    """The app that commands are about: v1 and v2, which serves."""
    monkeypatch.setenv("HYTHE_APP", "shop")
    with plane.database.write() as tx:
        app = make_app(tx)
        for version, config in ((1, {"A": "1"}), (2, {})):
            release = make_release(
                tx, plane.vault, plane.settings, app, version=version, config=config,
                processes={"web": "serve", "worker": "work"},
            )  # fmt: skip
            app.serving_id = make_deployment(tx, app, release).id
        make_formation(tx, app, web=1, worker=0)
        return app
