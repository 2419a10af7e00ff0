import json
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import select

from hythe.model import Source

from ..live_api import ControlPlane
from .conftest import Hythe

pytestmark = pytest.mark.usefixtures("shop")


def uploaded(plane: ControlPlane) -> set[str]:
    """The files of the newest source."""
    with plane.database.read() as session:
        source = session.scalars(select(Source).order_by(Source.id.desc())).first()
    assert source is not None
    root = plane.settings.home / source.path
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


def test_the_working_directory_is_deployed_as_it_is(
    hythe: Hythe, plane: ControlPlane, repository: Path
) -> None:
    for name in ("app.py", "not committed.py", "secret.env", ".venv/bin/python", "gone.py"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("x")
    (repository / ".gitignore").write_text("*.env\n")
    subprocess.run(["git", "add", "app.py", "gone.py", ".gitignore"], check=True)
    (repository / "gone.py").unlink()
    with plane.carrying_out():
        ran = hythe("deploy", "-m", "try it")
    assert ran.code == 0, ran.err
    assert ran.out == "-----> Starting web.1\n=====> deployed\n"
    assert uploaded(plane) == {"app.py", "not committed.py", ".gitignore"}


def test_gitignore_counts_outside_a_repository_too(
    hythe: Hythe, plane: ControlPlane, folder: Path
) -> None:
    for name in ("app.py", "a.env", "sub/b.env", "sub/keep.txt", "node_modules/x.js"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / "sub" / ".gitignore").write_text("*.env\n")
    with plane.carrying_out():
        ran = hythe("deploy", "--json")
    assert json.loads(ran.out)["status"] == "live"
    assert uploaded(plane) == {"app.py", "a.env", "sub/keep.txt", "sub/.gitignore"}


def test_a_failed_deploy_shows_the_transcript_and_exits_1(
    hythe: Hythe, plane: ControlPlane, folder: Path
) -> None:
    (folder / "app.py").write_text("x")
    with plane.carrying_out(("build", "It broke.", "Mend it.")):
        ran = hythe("deploy")
    assert ran.code == 1
    assert ran.out == "-----> Starting web.1\n !     It broke.\n !     Mend it.\n"
    assert ran.err == " !    It broke.\n !    Mend it.\n"


def test_an_empty_folder_is_no_deploy(hythe: Hythe, folder: Path) -> None:
    assert "nothing to deploy" in hythe("deploy").err
