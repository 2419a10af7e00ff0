"""Builds that are killed, hang, are interrupted, or are not wanted any more."""

from collections.abc import Callable

import pytest
from integration.build.conftest import Builds

from hythe.build.stage import BuildStage
from hythe.model import App, Build, Deployment, now

pytestmark = pytest.mark.docker

# setup.py of a local package runs in the build: a way to hang where a real build would.
HANGS = {
    "requirements.txt": "./slow\n",
    "slow/setup.py": "import time; print('hanging', flush=True); time.sleep(600)\n",
    "app.py": "def app(environ, start_response): ...\n",
}
GOOD = {
    "requirements.txt": "bottle\n",
    "app.py": "def app(environ, start_response): ...\n",
}
Start = Callable[..., BuildStage]


def hanging(builds: Builds) -> int:
    """Queue a build that hangs; returns when its buildpack runs."""
    deployment = builds.queue(HANGS)
    builds.wait(deployment, until=lambda each: "Installing" in builds.transcript(each.id))
    return deployment


def test_a_build_that_takes_too_long_is_ended(builds: Builds, start: Start) -> None:
    start(build_timeout=4)
    deployment = builds.fail(HANGS)
    assert deployment.error_code == "build-timeout"
    assert "s; it was at " in (deployment.error_cause or "")
    assert builds.containers() == []


def test_an_interrupted_build_is_built_again_once_then_fails(builds: Builds, start: Start) -> None:
    stage = start()
    deployment = hanging(builds)
    stage.stop()
    assert builds.containers() == []
    assert builds.wait(deployment, until=lambda each: True).status == "building"
    again = start()
    builds.wait(deployment, until=lambda each: "building again" in builds.transcript(each.id))
    again.stop()
    start()
    ended = builds.wait(deployment, until=lambda each: each.ended)
    assert (ended.status, ended.error_code) == ("failed", "build-interrupted")
    assert builds.containers() == []


def test_an_interrupted_build_can_still_succeed(builds: Builds, start: Start) -> None:
    stage = start()
    deployment = hanging(builds)
    stage.stop()
    (builds.source / "requirements.txt").write_text("bottle\n")
    start()
    builds.wait(deployment, until=lambda each: each.status == "built")
    with builds.database.read() as tx:
        build = tx.get_one(Build, tx.get_one(Deployment, deployment).build_id)
    assert (build.status, build.attempts) == ("succeeded", 2)


def test_a_killed_build_does_not_poison_the_cache(builds: Builds, start: Start) -> None:
    stage = start()
    builds.succeed(GOOD)
    deployment = hanging(builds)
    stage.stop()
    with builds.database.write() as tx:
        row = tx.get_one(Deployment, deployment)
        row.status, row.ended_at = "failed", now()
    start()
    last, _ = builds.build(GOOD)
    assert last.status == "built"


def test_a_build_of_a_destroyed_app_ends_quietly(builds: Builds, start: Start) -> None:
    stage = start()
    deployment = hanging(builds)
    with builds.database.write() as tx:
        tx.get_one(App, builds.app_id).destroyed_at = now()
    stage.forget(builds.app_id)
    ended = builds.wait(deployment, until=lambda each: each.ended)
    assert (ended.status, ended.superseded_by) == ("superseded", None)
    assert builds.containers() == []
    assert not (builds.settings.home / "cache" / str(builds.app_id)).exists()


def test_only_one_deployment_of_an_app_builds_at_a_time(builds: Builds, start: Start) -> None:
    start(build_slots=2)
    first = hanging(builds)
    second = builds.queue(GOOD)
    waiting = builds.wait(second, until=lambda each: True)
    assert waiting.status == "queued"
    with builds.database.write() as tx:
        row = tx.get_one(Deployment, first)
        row.status, row.ended_at = "failed", now()
        tx.poke(builds.app_id)
    assert builds.wait(second, until=lambda each: each.status == "built")
