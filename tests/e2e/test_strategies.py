"""Other ways for a release to take over, under load."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from load import Load

from bench.installation import Project, until

pytestmark = [pytest.mark.e2e, pytest.mark.docker]


def test_batches_and_all_at_once_lose_no_request(make_project: Callable[[str], Project]) -> None:
    project = make_project("hello")
    project.push()
    project.hythe("ps:scale", "web=2")
    until(lambda: project.hythe("ps").count(": up for") == 2)
    with Load(project.get) as load:
        project.hythe("ps:set", "web", "surge=1")
        project.hythe("config:set", "ROUND=1")
        project.hythe("ps:set", "web", "strategy=all-at-once")
        project.hythe("config:set", "ROUND=2")
        assert "all-at-once (set)" in project.hythe("ps:settings", "web")
    assert load.failures == []
    for version in ("v2", "v3"):
        until(lambda v=version: _switch(project, v)["ended_at"])
        switch = _switch(project, version)
        assert switch["requests"] > 0
        assert (switch["failed"], switch["errors"]) == (0, {})
    said = project.hythe("ps:explain")
    assert "v3 serves: web=2" in said
    assert "Nothing: all is as it should be." in said


def test_a_canary_is_given_up_promoted_and_aborted(make_project: Callable[[str], Project]) -> None:
    project = make_project("hello")
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


def _switch(project: Project, version: str) -> dict[str, object]:
    return json.loads(project.hythe("releases:info", version, "--json"))["switch"]
