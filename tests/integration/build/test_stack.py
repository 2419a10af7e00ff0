"""The base images: what builds and apps find, and what they do not."""

import fcntl
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

import pytest
from integration.build.conftest import Builds

from bench.installation import until
from hythe.build.nursery import Nursery
from hythe.build.spare import Spare
from hythe.build.spares import Spares
from hythe.build.stack import LABEL_STACK, REPLACED, folder, images, recipe
from hythe.build.stackmaker import Maker
from hythe.build.stage import BuildStage
from hythe.build.workspace import Workspace
from hythe.engine.port import ContainerSpec, Engine
from hythe.names import LABEL_KIND
from hythe.suite import DEFAULT, SUITES

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("stack"),
    pytest.mark.one_database("it is about images"),
]

Start = Callable[..., BuildStage]
LOOK = """\
id -u; id -un; cat /var/lib/dpkg/status | grep -cE '^Package: (gcc|g[+][+]|make|git|cpp|curl)$'
find / -xdev -perm /6000 -type f | wc -l; python3 -c 'import sys; print(*sys.version_info[:2])'
touch /usr/x /etc/x /layers/x 2>&1 | grep -c 'denied'
"""
TOOLS = ("bzip2", "curl", "gcc", "git", "jq", "make", "uv", "unzip", "wget", "xz", "zip")


def run(kind: str, script: str) -> list[str]:
    command = ["docker", "run", "--rm", "--network=none", recipe().reference(kind), "sh", "-c"]
    done = subprocess.run([*command, script], capture_output=True, text=True)
    return done.stdout.splitlines()


def test_the_run_image_is_slim_and_apps_in_it_are_nobody_special() -> None:
    user, name, tools, privileged, python, denied = run("run", LOOK)
    assert (user, name) == ("1000", "app")
    assert (tools, privileged) == ("0", "0"), "compilers, setuid programs"
    assert python.replace(" ", ".") == DEFAULT.python
    assert denied == "2"  # its own folder of layers is the app's


def test_the_build_image_has_what_buildpacks_expect() -> None:
    found = run("build", f"for each in {' '.join(TOOLS)}; do command -v $each; done")
    assert [path.rpartition("/")[2] for path in found] == list(TOOLS)


def test_the_images_of_this_version_are_listed_first(engine: Engine) -> None:
    listed = images(engine)
    ours = {recipe().reference("run"), recipe().reference("build")}
    current = {each.reference: each for each in listed if each.current}
    assert ours <= current.keys() == {each.reference for each in listed[: len(current)]}
    assert all(current[name].size > 0 and current[name].suite == DEFAULT.name for name in ours)
    command = [sys.executable, "-m", "hythe.build", "list-stack"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "=== bookworm: Debian 12, Python 3.11, the default\n" in shown
    assert "=== trixie: Debian 13, Python 3.13\n" in shown
    assert all(f"{name} " in shown for name in ours)
    as_json = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    assert ours <= {each["reference"] for each in json.loads(as_json.stdout) if each["current"]}


def test_an_unknown_stack_is_refused_with_those_that_there_are() -> None:
    command = [sys.executable, "-m", "hythe.build", "update-stack", "jessie"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "no stack jessie" in done.stderr and "bookworm, trixie" in done.stderr


@pytest.mark.usefixtures("stage")
def test_a_build_for_an_unknown_stack_is_refused_and_leaves_nothing(builds: Builds) -> None:
    builds.configure("BP_STACK", "jessie", build=False)
    deployment = builds.fail({"Procfile": "web: true\n"})
    assert "BP_STACK is 'jessie'" in (deployment.error_cause or "")
    assert "bookworm, trixie" in (deployment.error_fix or "")
    assert builds.containers() == []


def test_a_spare_is_for_its_suite_and_goes_when_a_build_has_no_use_for_it(builds: Builds) -> None:
    spares = Spares(builds.settings, builds.engine, builds.names)
    spares.prepare()
    workspace = Workspace.of(builds.settings, 1)
    assert spares.take(workspace, SUITES["trixie"]) is None
    spare = spares.take(workspace, DEFAULT)
    assert spare is not None and builds.engine.instances.get(spare.id) is not None
    assert workspace.app.is_dir()
    spares.drop(workspace)
    assert builds.engine.instances.get(spare.id) is None


def test_no_program_of_a_build_runs_in_a_spare_of_other_images(
    builds: Builds, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_other_images(spare: Spare) -> dict[str, Any]:
        return asdict(spare) | {"stack": asdict(spare.stack) | {"run_id": "sha256:other"}}

    monkeypatch.setattr(Spare, "as_json", of_other_images)
    ready = start()._spares._ready  # a container is listed before it is a spare
    until(lambda: ready.get(DEFAULT))
    (spare,) = builds.engine.instances.list(builds.names.labels | {LABEL_KIND: "spare"})
    pin = {"kind": "inline", "name": "me/inline", "script": {"inline": "echo in $(hostname)."}}
    deployment, _ = builds.build({"Procfile": "web: true\n"}, [pin])
    said = builds.transcript(deployment.id)
    assert deployment.status == "built", said
    assert "in " in said and f"in {spare.id[:12]}." not in said
    assert builds.engine.instances.get(spare.id) is None


def test_what_a_killed_process_left_half_made_goes(builds: Builds, start: Start) -> None:
    place = folder(builds.settings)
    (place / "ab12").mkdir(parents=True)
    label = {LABEL_STACK: Maker(builds.engine, recipe(), place, print).label}
    spec = ContainerSpec(name=f"{builds.names.prefix}.making", image=recipe().reference("run"))
    made = builds.engine.instances.create(replace(spec, labels=label | builds.names.labels))
    replaced = f"{REPLACED}{builds.names.installation}"
    builds.engine.images.tag(recipe().reference("run"), replaced)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        start().stop()
        assert builds.engine.instances.get(made.id) is not None, "somebody makes images now"
    start().stop()
    assert builds.engine.instances.get(made.id) is None
    assert builds.engine.images.find(replaced) is None
    assert [each.name for each in place.iterdir()] == ["lock"]


@pytest.fixture
def nursery(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nursery]:
    """Whose builds have a mirror of Python downloads that does not answer."""
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", "http://127.0.0.1:9/")
    nursery = Nursery.start()
    yield nursery
    nursery.stop()


def test_a_python_that_cannot_be_downloaded_lists_those_that_need_no_download(
    builds: Builds, start: Start
) -> None:
    start(build_spares=0)
    bare = "def app(environ, start_response): ...\n"
    deployment = builds.fail({"app.py": bare, ".python-version": "3.12"})
    assert "could not be downloaded from UV_PYTHON_INSTALL_MIRROR" in (deployment.error_cause or "")
    assert "Available without it: 3.11, 3.13 on the stack trixie" in (deployment.error_fix or "")
    assert "BP_STACK=trixie" in (deployment.error_fix or "")
