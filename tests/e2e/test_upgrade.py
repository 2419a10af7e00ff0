"""From the previous commit's code and data to this one's: no app restarts."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import missing
from load import Load

from bench.installation import ROOT, Answer, Installation, Project, until

sys.path.insert(0, str(ROOT / "bin"))

from setup.place import Place
from setup.programs import prepare, programs

pytestmark = [pytest.mark.e2e, pytest.mark.docker]


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    """The code of the commit before this one."""
    folder = tmp_path / "previous"
    folder.mkdir()
    archive = subprocess.run(
        ["git", "archive", "HEAD~1", "platform", "migrations", "buildpacks"],
        cwd=ROOT,
        capture_output=True,
    )
    if archive.returncode != 0:
        missing("history", "this clone lacks the commit before; `git fetch --deepen 1` brings it.")
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    return folder


@pytest.fixture
def old(tmp_path: Path, previous: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """An installation that the previous code made and runs."""
    installation = Installation(tmp_path / "home")
    for name, value in installation.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(previous / "platform"))
    place = Place.of(installation.environment)
    place.make()
    try:
        prepare(place)
        place.remember()
        for program in programs(place):
            program.await_ready(place, program.start(place))
        monkeypatch.delenv("PYTHONPATH")
        yield installation
    finally:
        monkeypatch.delenv("PYTHONPATH", raising=False)
        installation.remove()


def patiently(get: Callable[[], Answer]) -> Callable[[], Answer]:
    """A client that tries again while nobody listens: the router's own restart, under bin/up."""

    def ask() -> Answer:
        for _ in range(40):
            try:
                return get()
            except ConnectionRefusedError:
                time.sleep(0.05)
        return get()

    return ask


def containers(installation: Installation) -> dict[str, str]:
    import docker

    client = docker.from_env()
    mine = {"label": f"io.hythe.installation={installation.id}"}
    found = client.containers.list(filters=mine)
    running = {
        str(c.id): str(c.attrs["State"]["StartedAt"])
        for c in found
        if c.labels["io.hythe.kind"] == "instance"
    }
    client.close()
    return running


def test_the_previous_commits_installation_goes_on_under_this_code(
    old: Installation, previous: Path, tmp_path: Path
) -> None:
    home = old.pid("control-plane")
    assert str(previous) in Path(f"/proc/{home}/environ").read_text()
    project: Project = old.project("shop", "wsgi-bare", tmp_path / "shop")
    project.push()
    project.hythe("ps:scale", "web=2")
    until(lambda: project.hythe("ps").count(": up for") == 2)
    before = containers(old)

    said = old.hythe("upgrade:check")
    assert "No app restarts" in said and "2 instances run, and run on" in said, said
    assert "reads the router's snapshot" in said

    with Load(patiently(project.get)) as load:
        old.up("--restart", "--no-example")
        until(lambda: project.hythe("ps").count(": up for") == 2)

    assert load.failures == []
    assert containers(old) == before
    for program in ("control-plane", "router"):
        assert str(previous) not in Path(f"/proc/{old.pid(program)}/environ").read_text()
    (project.folder / "more.txt").write_text("more\n")
    project.commit("More")
    assert "deployed (v2)" in project.push()
