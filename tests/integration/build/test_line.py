"""Builds that wait for a slot, and builds that somebody cancels."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from integration.build.conftest import Builds
from integration.build.test_stage import GOOD, hanging

from hythe.build import cancel
from hythe.build.line import Line, places
from hythe.build.stack import recipe
from hythe.build.stage import BuildStage
from hythe.errors import Conflict
from hythe.model import Build, Deployment

pytestmark = [pytest.mark.docker, pytest.mark.one_database("it is about containers")]

Start = Callable[..., BuildStage]


def test_a_build_without_a_slot_waits_in_line_and_can_be_canceled(
    builds: Builds, start: Start
) -> None:
    start(build_slots=1)
    first = hanging(builds)
    other = builds.other_app()
    waiting = other.wait(other.queue(GOOD), until=lambda each: each.build_id is not None)
    row = other.row(waiting)
    assert (row.status, row.started_at) == ("queued", None)
    with builds.database.read() as tx:
        assert places(tx) == {row.id: 1}
    other.wait(waiting.id, until=lambda each: "it is the next" in other.transcript(each.id))
    other.cancel(waiting)
    ended = other.wait(waiting.id, until=lambda each: each.ended)
    assert (ended.status, other.row(ended).status) == ("canceled", "canceled")
    assert " !     ada canceled the build.\n" in other.transcript(ended.id)
    builds.cancel(builds.wait(first, until=lambda each: each.status == "building"))
    builds.wait(first, until=lambda each: each.ended)


def test_a_canceled_build_leaves_nothing_and_the_next_one_works(
    builds: Builds, start: Start
) -> None:
    start()
    builds.succeed(GOOD)
    running = builds.wait(hanging(builds), until=lambda each: each.status == "building")
    builds.cancel(running)
    ended = builds.wait(running.id, until=lambda each: each.ended)
    name = f".build.{ended.build_id}"  # those of the first stay until its rollout is over
    assert [each for each in builds.containers() if name in each] == []
    assert (ended.status, ended.error_code) == ("canceled", "build-canceled")
    assert ended.error_cause == "ada canceled the build."
    assert " !     ada canceled the build.\n" in builds.transcript(ended.id)
    assert not (builds.settings.home / "builds" / str(ended.build_id)).exists()
    with pytest.raises(Conflict, match="was canceled"):
        builds.cancel(ended)
    builds.succeed(GOOD)


def test_a_build_canceled_while_no_control_plane_runs_is_not_built_again(
    builds: Builds, start: Start
) -> None:
    stage = start()
    running = builds.wait(hanging(builds), until=lambda each: each.status == "building")
    stage.stop()
    builds.cancel(running)
    start()
    ended = builds.wait(running.id, until=lambda each: each.ended)
    assert (ended.status, builds.row(ended).attempts) == ("canceled", 1)
    assert builds.containers() == []


def test_a_canceled_dockerfile_build_ends_its_step(builds: Builds, start: Start) -> None:
    start()
    dockerfile = f"FROM {recipe().reference('run')}\nRUN echo begun && sleep 600\n"
    running = builds.wait(
        builds.queue({"Dockerfile": dockerfile}),
        until=lambda each: "begun" in builds.transcript(each.id),
    )
    builds.cancel(running)
    assert builds.wait(running.id, until=lambda each: each.ended).status == "canceled"
    (network,) = builds.engine.instances.list_networks(builds.names.labels)
    command = ["docker", "ps", "-aq", "--filter", f"network={network}", "--filter", "ancestor="]
    command[-1] += recipe().reference("run")
    deadline = time.monotonic() + 20
    while subprocess.run(command, capture_output=True, check=True).stdout:
        assert time.monotonic() < deadline, "the step goes on"
        time.sleep(0.1)


def test_a_deployment_that_leaves_the_line_takes_its_row_along(builds: Builds) -> None:
    """A newer push supersedes it; no stage runs, so the line is looked at by hand."""
    settings = replace(builds.settings, build_slots=1)
    line = Line(settings, builds.database)
    other = builds.other_app()
    builds.queue(GOOD)
    second = other.queue(GOOD)
    line.look()  # the first can start at once
    with builds.database.write() as tx:
        deployment = tx.get_one(Deployment, second)
        build = tx.get_one(Build, deployment.build_id)
        assert build.status == "queued"
        deployment.status = "superseded"
    line.look()
    assert other.row(deployment).status == "canceled"
    with builds.database.write() as tx, pytest.raises(Conflict):
        cancel.request(tx, tx.get_one(Build, build.id), "ada")
