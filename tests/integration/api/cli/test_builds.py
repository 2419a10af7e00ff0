import pytest
from builders import make_app, make_build, make_deployment

from hythe.build.disk import Share, Survey
from hythe.build.line import Line
from hythe.model import Build

from ..live_api import ControlPlane
from .conftest import Hythe


@pytest.fixture
def waiting(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Build:
    """A build in the line, after one that succeeded."""
    monkeypatch.setenv("HYTHE_APP", "shop")
    with plane.database.write() as tx:
        app = make_app(tx)
        done = make_build(tx, app)
        done.steps = [{"name": "detect", "seconds": 0.25}, {"name": "build", "seconds": 0.75}]
        build = make_build(tx, app)
        build.status = "queued"
        make_deployment(tx, app, status="queued").build_id = build.id
        return build


def test_the_line_and_the_steps_are_shown(hythe: Hythe, waiting: Build) -> None:
    listed = hythe("builds").out.splitlines()
    assert "queued, place 1 in line" in listed[1]
    assert listed[1].rstrip().endswith("waits")
    shown = hythe("builds:info", "1").out
    assert "build   0.750     75%" in shown, shown


def test_a_build_is_canceled_and_waited_for(
    hythe: Hythe, waiting: Build, plane: ControlPlane
) -> None:
    line = Line(plane.settings, plane.database)
    line.start()
    try:
        ran = hythe("builds:cancel")
    finally:
        line.stop()
    assert (ran.code, ran.out) == (0, f"Canceling build {waiting.id}... done\n")
    assert "canceled by tester" in hythe("builds").out
    again = hythe("builds:cancel")
    assert (again.code, again.err.splitlines()[0]) == (1, " !    No build of shop runs or waits.")


def test_disk_use_is_shown(hythe: Hythe, plane: ControlPlane, waiting: Build) -> None:
    assert "not measured yet" in hythe("disk").out
    Survey(1_000_000.0, None, 3_000_000_000, {"1": Share(2, 10**7, 10**9)}).save(plane.settings)
    shown = hythe("disk").out
    assert "Taken:   3.0 GB by images and build caches" in shown
    assert "shop  2       10.0 MB  1.0 GB" in shown, shown
