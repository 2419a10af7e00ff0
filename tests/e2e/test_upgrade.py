"""From the previous commit's code and data to this one's: no app restarts."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import missing
from load import Load

from bench.installation import ROOT, Installation, Project, until

sys.path.insert(0, str(ROOT / "bin"))

from setup.place import Place
from setup.programs import prepare, programs

COLLECTOR = "platform/hythe/observe/__main__.py"

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
def checkout(tmp_path: Path, previous: Path) -> Path:
    """Where the code lies that runs: what `git pull` would change."""
    link = tmp_path / "checkout"
    link.symlink_to(previous)
    return link


@pytest.fixture
def old(tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """An installation that the previous code made and runs."""
    installation = Installation(tmp_path / "home")
    for name, value in installation.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(checkout / "platform"))
    place = Place.of(installation.environment)
    place.make()
    try:
        prepare(place)
        place.remember()
        for program in programs(place):
            if program.name == "collector" and not (checkout / COLLECTOR).exists():
                continue  # then its control plane collects
            program.await_ready(place, program.start(place))
        monkeypatch.delenv("PYTHONPATH")
        yield installation
    finally:
        monkeypatch.delenv("PYTHONPATH", raising=False)
        installation.remove()


def runs_from(code: Path, pid: int) -> bool:
    return f"PYTHONPATH={code}/" in Path(f"/proc/{pid}/environ").read_text()


def children(pid: int) -> set[str]:
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


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
    old: Installation, checkout: Path, tmp_path: Path
) -> None:
    assert runs_from(checkout, old.pid("control-plane"))
    master, workers = old.pid("router"), children(old.pid("router"))
    project: Project = old.project("shop", "wsgi-bare", tmp_path / "shop")
    project.push()
    project.hythe("ps:scale", "web=2")
    until(lambda: project.hythe("ps").count(": up for") == 2)
    before = containers(old)
    log = until(lambda: (text := project.hythe("logs", "-s", "app")).count("Booting") >= 2 and text)

    said = old.hythe("upgrade:check")
    assert "No app restarts" in said and "2 instances run, and run on" in said, said
    assert "reads the router's snapshot" in said

    checkout.unlink()
    checkout.symlink_to(ROOT)
    with Load(project.get) as load:
        old.up("--restart", "--no-example")
        until(lambda: project.hythe("ps").count(": up for") == 2)

    assert load.failures == []
    assert containers(old) == before
    assert project.hythe("logs", "-s", "app").startswith(log)  # each line once
    for program in ("control-plane", "collector"):
        assert not runs_from(checkout, old.pid(program))
    assert old.pid("router") == master  # it became the new program
    until(lambda: not workers & children(master))
    (project.folder / "more.txt").write_text("more\n")
    project.commit("More")
    assert "deployed (v2)" in project.push()
