"""On the real engine and router, under load: a canary that is given up, promoted, aborted; and an
instance that stops being well."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from load import Load

from bench.installation import Installation, Project, until
from hythe.engine.port import Engine

pytestmark = [pytest.mark.chaos, pytest.mark.docker]


@pytest.fixture
def project(engine: Engine, tmp_path: Path) -> Iterator[Project]:
    installation = Installation(tmp_path / "home", HYTHE_BOOT_TIMEOUT="60")
    try:
        installation.up("--no-example")
        yield installation.project("tried", "hello", tmp_path / "tried")
    finally:
        installation.remove()


def test_a_canary_is_given_up_promoted_and_aborted(project: Project) -> None:
    project.push()
    project.hythe("ps:set", "web", "strategy=canary", "canary-share=50", "canary-time=1h")
    code = project.folder / "app.py"
    good = code.read_text()
    with Load(project.get) as load, ThreadPoolExecutor(1) as pool:
        code.write_text(good.replace("    facts = {", FAILS_ON_BAD + "    facts = {"))
        project.commit("Fail on /bad")
        push = pool.submit(project.push, fails=True)
        until(lambda: "Waits for" in project.hythe("ps:explain") and _is_canary(project), 120)
        until(lambda: [project.get("/bad") for _ in range(20)] and push.done(), 60)
        assert "As a canary it failed too many requests: v2" in push.result()
        assert _serving(project) == "v1"
        code.write_text(good + "# well\n")
        project.commit("Do well")
        push = pool.submit(project.push)
        until(lambda: _is_canary(project), 120)
        until(lambda: {_release(project) for _ in range(30)} == {"v1", "v3"})
        project.hythe("releases:promote")
        assert "0 failed" in push.result()
        assert _serving(project) == "v3"
        change = pool.submit(project.hythe, "config:set", "ROUND=1", fails=True)
        until(lambda: _is_canary(project), 60)
        project.hythe("releases:abort")
        assert "aborted v4" in change.result()
        assert _serving(project) == "v3"
    assert load.failures == []


FAILS_ON_BAD = """    if environ["PATH_INFO"] == "/bad":
        start_response("500 Bad", [("Content-Length", "0")])
        return [b""]
"""


def _is_canary(project: Project) -> bool:
    return "as a canary" in project.hythe("ps:explain")


def _release(project: Project) -> str:
    """Of the page that answers."""
    found = re.search(r"<dt>Release<dd>(v\d+)", project.get().text)
    assert found is not None
    return found[1]


def _serving(project: Project) -> str:
    releases = json.loads(project.hythe("releases", "--json"))
    return next(f"v{one['version']}" for one in releases if one["serving"])


SICK = """    if environ["PATH_INFO"] == "/sick":
        open("/tmp/sick", "w").close()
    if environ["PATH_INFO"] == "/up" and os.path.exists("/tmp/sick"):
        start_response("500 Sick", [("Content-Length", "0")])
        return [b""]
    if not os.environ.get("WELL"):
        os.environ["WELL"] = "1"
        with contextlib.suppress(FileNotFoundError):
            os.unlink("/tmp/sick")
"""


def test_an_instance_that_is_not_well_is_restarted(project: Project) -> None:
    code = project.folder / "app.py"
    text = code.read_text().replace("    facts = {", SICK + "    facts = {")
    code.write_text(text.replace("import os\n", "import contextlib\nimport os\n", 1))
    checks = [
        {"type": "startup", "command": ["/bin/sh", "-c", "test ! -e /tmp/never"]},
        {"type": "liveness", "path": "/up", "wait": 0.5, "attempts": 2},
    ]
    about = {"healthchecks": {"web": checks}, "formation": {"web": {"quantity": 2}}}
    (project.folder / "app.json").write_text(json.dumps(about))
    project.commit("Can be sick")
    output = project.push()
    assert "exited with 0" in output
    until(lambda: project.hythe("ps").count(": up for") == 2)
    with Load(project.get) as load:
        assert project.get("/sick").status == 200
        until(lambda: "Restarting: it answered 500 on /up" in project.hythe("logs", "-n", "200"))
        until(lambda: project.hythe("ps").count(": up for") == 2)
    # Only what was in flight at the sick instance may be lost.
    assert len(load.failures) <= 4, load.failures
