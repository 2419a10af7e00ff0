"""Builds that take more than they may: each ends with its cause, and leaves nothing."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import make_deployment
from integration.build.conftest import Builds, builds, names, nursery, stack, start

from hythe.build import share
from hythe.build.stage import BuildStage
from hythe.model import App, Build

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.docker,
    pytest.mark.one_database("it is about containers"),
]

__all__ = ["builds", "names", "nursery", "stack", "start"]  # fixtures

Start = Callable[..., BuildStage]

BUILDPACK = {
    "order.toml": '[[order]]\n[[order.group]]\nid = "test/odd"\n',
    "odd/buildpack.toml": 'api = "0.10"\n[buildpack]\nid = "test/odd"\nversion = "1"\n',
    "odd/bin/detect": "#!/bin/bash\n. ./detect\n",
    "odd/bin/build": "#!/bin/bash\n. ./build\n",
}
GOOD = {"detect": "", "build": "echo 'It is good'", "Procfile": "web: true"}
MEGABYTE = 1_000_000

BAD = {
    "hangs in detect": (
        {"detect": "sleep 600"}, {"build_timeout": 5},
        "build-timeout", "longer than 5 s; it was at odd/bin/detect",
    ),
    "prints without end in detect": (
        {"detect": "yes"}, {}, "build-output", "odd/bin/detect printed more than 1024 KiB",
    ),
    "prints a gigabyte": (
        {"build": f"yes {'0' * 999} | head -c 1000000000"}, {"build_output": 2 * MEGABYTE},
        "build-output", "printed more than 2 MB",
    ),
    "prints a gigabyte without a line": (
        {"build": "head -c 1000000000 /dev/zero"}, {"build_output": 5 * MEGABYTE},
        "build-output", "printed more than 5 MB",
    ),
    "forks without end": (
        {"build": "bomb() { bomb | bomb & }; bomb 2>/dev/null; sleep 600"}, {"build_pids": 64},
        "build-processes", "more than the 64 processes that it may have, at odd/bin/build",
    ),
    "fills the disk": (
        {"build": "head -c 4G /dev/zero >/tmp/large; sleep 600"}, {"build_disk": 60 * MEGABYTE},
        "build-disk", "and may hold 60 MB",
    ),
    "eats all memory": (
        {"build": "tail /dev/zero"}, {"build_memory": 64 * MEGABYTE},
        "build-memory", "more than the 64 MB of memory",
    ),
    "writes outside its folders": (
        {"build": "set -e; echo x >/cnb/evil"}, {},
        "build", "The build wrote outside its folders: ./build: line 1: /cnb/evil: Read-only",
    ),
    "changes a buildpack": (
        {"build": "set -e; echo x >$CNB_BUILDPACK_DIR/bin/build"}, {}, "build", "Read-only",
    ),
}  # fmt: skip


@pytest.fixture
def _odd_buildpack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only buildpack runs `detect` and `build` of the app. Before the nursery starts."""
    folder = tmp_path / "share" / "buildpacks"
    shutil.copytree(share.folder("buildpacks") / "stack", folder / "stack")
    for name, text in BUILDPACK.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    monkeypatch.setenv("HYTHE_SHARE", str(folder.parent))


@pytest.mark.usefixtures("_odd_buildpack")
@pytest.mark.parametrize("name", BAD)
def test_a_build_that_takes_too_much_is_ended(name: str, builds: Builds, start: Start) -> None:
    files, changes, code, cause = BAD[name]
    with builds.database.write() as tx:
        app = tx.get_one(App, builds.app_id)
        serving = app.serving_id = make_deployment(tx, app).id
    start(build_spares=0, **changes)
    deployment = builds.fail(GOOD | files)
    assert deployment.error_code == code
    assert cause in (deployment.error_cause or "")
    assert deployment.error_fix
    assert builds.containers() == []
    assert list((builds.settings.home / "builds").iterdir()) == []
    assert len(builds.transcript(deployment.id)) < 6 * MEGABYTE
    with builds.database.read() as session:  # as if the push had never been
        assert session.get_one(App, builds.app_id).serving_id == serving
        steps = session.get_one(Build, deployment.build_id).steps
    if "build" in files and code in ("build", "build-output", "build-memory"):
        assert "odd/bin/build" in [step["name"] for step in steps]


@pytest.mark.usefixtures("_odd_buildpack")
def test_a_build_writes_to_its_folders_and_names_its_parts(builds: Builds, start: Start) -> None:
    start()
    writes = 'for each in . "$1" ~ /tmp /var/tmp; do echo x >$each/x; done; set -e; cat /tmp/x'
    build = builds.succeed(GOOD | {"build": f"set -e; {writes}"})
    assert [step["name"] for step in build.steps] == [
        "prepare", "container", "detect", "odd/bin/build", "freeze", "export", "keep",
    ]  # fmt: skip
