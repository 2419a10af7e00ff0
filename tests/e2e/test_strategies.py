"""Other ways for a release to take over, under load."""

import json
from collections.abc import Callable

import pytest
from load import Load

from bench.installation import Project, until

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.chaos]


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


def _switch(project: Project, version: str) -> dict[str, object]:
    return json.loads(project.hythe("releases:info", version, "--json"))["switch"]
