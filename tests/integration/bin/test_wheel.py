"""The wheel holds everything that is not Python too, the built dashboard among it."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from setup.environment import VENV
from setup.place import CHECKOUT

PARTS = ("pyproject.toml", "README.md", "platform", "buildpacks", "migrations", "bin/setup")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What a wheel is made from, without the dashboard."""
    for part in PARTS:
        source, target = CHECKOUT / part, tmp_path / "project" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return tmp_path / "project"


def build(project: Path) -> subprocess.CompletedProcess[str]:
    uv = [str(VENV / "bin" / "uv"), "build", "--wheel", "--offline", "--no-build-isolation"]
    python = ["--python", str(VENV / "bin" / "python")]
    return subprocess.run([*uv, *python], cwd=project, capture_output=True, text=True)


def test_the_wheel_ships_the_dashboard(project: Path) -> None:
    assets = project / "web" / "dist" / "assets"
    assets.mkdir(parents=True)
    (assets.parent / "index.html").write_text("<!doctype html>")
    (assets / "app.js.br").write_text("small")
    done = build(project)
    assert done.returncode == 0, done.stderr
    (wheel,) = (project / "dist").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "hythe/_share/web/index.html",
        "hythe/_share/web/assets/app.js.br",
        "hythe/_share/buildpacks/python/buildpack.toml",
        "hythe/_share/migrations/env.py",
        "hythe/serve.py",
    } <= names


def test_a_wheel_without_the_dashboard_is_refused_with_a_fix(project: Path) -> None:
    done = build(project)
    assert done.returncode != 0
    assert "web/dist is missing" in done.stderr
    assert "npm run build" in done.stderr
