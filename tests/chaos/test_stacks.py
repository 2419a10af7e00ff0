"""Stacks that are made from nothing: trixie, and an update of Debian packages. Takes minutes."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from integration.build import conftest
from integration.build.conftest import Builds, builds, names, nursery, stack, start
from integration.build.running import get, running

from hythe.build import share
from hythe.build.stack import REPLACED, find, recipe
from hythe.build.stackmaker import ensure, sweep, update
from hythe.build.stage import BuildStage
from hythe.engine.port import ContainerSpec, Engine, ImageConfig
from hythe.settings import Settings
from hythe.suite import DEFAULT

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.docker,
    pytest.mark.one_database("it is about images"),
]

__all__ = ["builds", "names", "nursery", "stack", "start"]  # fixtures

ASK = """\
import bottle, os, platform
app = bottle.default_app()

@app.route("/")
def home():
    debian = platform.freedesktop_os_release()["VERSION_ID"]
    return " ".join([platform.python_version(), debian, os.environ["CNB_STACK_ID"]])
"""
FILES = {"app.py": ASK, "requirements.txt": "bottle\n"}


def test_an_app_gets_python_3_13_on_trixie(
    builds: Builds,
    start: Callable[..., BuildStage],
    record_property: Callable[[str, object], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Made by the first build that asks for it, when it is not there; then kept."""
    monkeypatch.setattr(conftest, "DEADLINE", 1800.0)  # of whoever waits for a build
    start(build_timeout=1800)
    builds.configure("BP_STACK", "trixie", build=False)
    began = time.monotonic()
    first = builds.succeed(FILES)
    record_property("first build", f"{time.monotonic() - began:.0f} s")
    with running(builds, first) as container:
        python, debian, stack_id = get(builds, container).split()
    assert (python.rpartition(".")[0], debian, stack_id) == ("3.13", "13", "hythe-trixie")
    again = builds.succeed(FILES | {"code": "changed"})
    assert "stack" not in [step["name"] for step in again.steps]
    one, other = (builds.engine.images.find(each.image or "") for each in (first, again))
    assert one is not None and other is not None
    assert one.layers[:-1] == other.layers[:-1]

    for server in ("mod_wsgi", "nginx"):  # with Debian packages of trixie in layers
        builds.configure("BP_PYTHON_SERVER", server, build=True)
        with running(builds, builds.succeed(FILES)) as container:
            assert get(builds, container).startswith("3.13")
        builds.unset("BP_PYTHON_SERVER")

    builds.unset("BP_STACK")
    back = builds.succeed(FILES)
    with running(builds, back) as container:
        assert get(builds, container).split()[1:] == ["12", "hythe-bookworm"]


@pytest.fixture
def _small_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack of its own, which others do not see: few packages, another digest."""
    folder = tmp_path / "share" / "buildpacks"
    shutil.copytree(share.folder("buildpacks") / "stack", folder / "stack")
    (folder / "stack" / "run-packages.txt").write_text("bash\nca-certificates\ntzdata\n")
    (folder / "stack" / "build-packages.txt").write_text("gcc\nlibc6-dev\n")
    with (folder / "stack" / "prepare.sh").open("a") as script:
        script.write(f"# {tmp_path}\n")
    monkeypatch.setenv("HYTHE_SHARE", str(folder.parent))


@pytest.fixture
def _no_litter(engine: Engine, _small_recipe: None) -> Iterator[None]:
    yield
    for kind in ("run", "build"):
        engine.images.remove(recipe().reference(kind))


@pytest.mark.usefixtures("_no_litter")
def test_an_update_brings_newer_packages_and_says_which(engine: Engine, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    said: list[str] = []
    old = ensure(engine, settings, DEFAULT, said.append)
    assert any("bookworm" in text or "registry" in text for text in said)
    assert update(engine, settings, DEFAULT, said.append) == []
    assert find(engine) == old

    older = outdated(engine, old.run_id, recipe().reference("run"))
    outdated(engine, old.build_id, recipe().reference("build"))
    stale = find(engine)
    assert stale is not None and stale.run_id != old.run_id
    spec = ContainerSpec(
        name=f"hythe-test-{tmp_path.name[-8:]}-{time.time_ns()}",
        image=stale.run_id,
        command=("sleep", "600"),
        entrypoint=(),
    )
    holder = engine.instances.create(spec)  # an app that still runs on it
    engine.instances.start(holder.id)
    replaced = f"{REPLACED}{stale.run_id.removeprefix('sha256:')[:12]}"
    try:
        changes = update(engine, settings, DEFAULT, said.append)
        assert {(each.kind, each.name, each.before) for each in changes} >= {
            ("run", "tzdata", older), ("build", "tzdata", older),
        }  # fmt: skip
        new = find(engine)
        assert new is not None and {new.run_id, new.build_id}.isdisjoint(
            {stale.run_id, stale.build_id}
        )
        assert engine.images.find(stale.build_id) is None
        assert engine.images.find(replaced) is not None, "a container uses it"
    finally:
        engine.instances.remove(holder.id)
    command = [sys.executable, "-m", "hythe.build", "list-stack"]
    assert replaced in subprocess.run(command, capture_output=True, text=True).stdout
    sweep(engine, settings)  # as the next update does
    assert engine.images.find(replaced) is None


def outdated(engine: Engine, image: str, reference: str) -> str:
    """Give the image an older tzdata; returns its version."""
    spec = ContainerSpec(
        name=f"hythe-test-{time.time_ns()}",
        image=image,
        command=("sleep", "600"),
        entrypoint=(),
        user="0",
        capabilities=("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETGID", "SETUID"),
    )
    container = engine.instances.create(spec)
    try:
        engine.instances.start(container.id)
        script = (
            "apt-get update -qq && old=$(apt-cache madison tzdata | awk '{print $3}' | sort -V |"
            " head -1) && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --allow-downgrades"
            " tzdata=$old >/dev/null 2>&1 && rm -rf /var/lib/apt/lists/* && echo $old"
        )
        done = engine.sessions.run(container.id, ["/bin/sh", "-c", script], user="0")
        assert done.code == 0, done.output
        engine.images.commit(container.id, reference, ImageConfig())
        return done.output.strip().splitlines()[-1]
    finally:
        engine.instances.remove(container.id)
