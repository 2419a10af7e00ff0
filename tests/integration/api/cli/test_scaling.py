"""ps:autoscale and ps:sleep, and what the scaler makes of what was measured."""

import time

import pytest

from hythe.model import App, Formation, Sleep
from hythe.observe import figures
from hythe.observe.rollup import SHORT
from hythe.observe.scaler import Scaler

from ..live_api import ControlPlane
from .conftest import Hythe


def quantity(plane: ControlPlane) -> int:
    with plane.database.read() as session:
        return session.query(Formation).where(Formation.process == "web").one().quantity


def test_a_range_can_be_typed_back(hythe: Hythe, shop: App) -> None:
    assert hythe("ps:autoscale").out == "Nothing is scaled by itself.\n"
    ran = hythe("ps:autoscale", "web=1-10", "--p95", "200ms")
    assert ran.out == "Scaling web by its load... done, web=1-10 --p95 200ms\n"
    hythe("ps:autoscale", "worker=2-3", "--cpu", "70")
    assert hythe("ps:autoscale").out == "web=1-10 --p95 200ms\nworker=2-3 --cpu 70\n"
    hythe("ps:autoscale", "--off", "web")
    assert hythe("ps:autoscale").out == "worker=2-3 --cpu 70\n"


@pytest.mark.parametrize(
    "arguments", [("web=1",), ("web=1-2",), ("web=1-2", "--p95", "soon"), ("web=2", "--cpu", "1")]
)
def test_what_is_no_range_is_a_misuse(hythe: Hythe, shop: App, arguments: tuple[str]) -> None:
    assert hythe("ps:autoscale", *arguments).code == 2


@pytest.mark.parametrize(
    "arguments",
    [("web=3-2", "--cpu", "70"), ("web=1-500", "--cpu", "70"), ("worker=1-2", "--p95", "1s")],
)
def test_impossible_ranges_are_refused(hythe: Hythe, shop: App, arguments: tuple[str]) -> None:
    assert hythe("ps:autoscale", *arguments).code == 1


def test_load_changes_the_formation_and_is_told(
    hythe: Hythe, plane: ControlPlane, shop: App
) -> None:
    scaler = Scaler(plane.settings, plane.database)
    hythe("ps:autoscale", "web=1-5", "--cpu", "50")
    series = figures.instance(plane.settings.home, shop.id, "web.1")
    for age in range(10, 60, 10):
        series.write(SHORT, time.time() - age, {"cpu": 1.0})
    scaler.look()
    assert quantity(plane) == 2
    assert "Scale web=2 (was 1): 200% of the target over 30 s" in hythe("events").out
    hythe("ps:autoscale", "web=1-5", "--p95", "100ms")
    traffic = figures.traffic(plane.settings.home, shop.id)
    for age in range(10, 60, 10):
        traffic.write(SHORT, time.time() - age, {"p95": 0.25, "requests": 9})
    scaler.look()
    assert quantity(plane) == 5
    hythe("ps:scale", "web=0")
    scaler.look()
    assert quantity(plane) == 0  # who scales to nothing means it


def test_sleep_is_set_shown_and_unset(hythe: Hythe, plane: ControlPlane, shop: App) -> None:
    assert "never sleeps" in hythe("ps:sleep").out
    ran = hythe("ps:sleep", "web", "--after", "30m")
    assert ran.out == "Letting shop sleep... done, after 30m without a request\n"
    assert hythe("ps").out == "shop sleeps after 30 min without a request.\n"
    with plane.database.write() as tx:
        tx.get_one(Sleep, shop.id).state = "asleep"
    assert hythe("ps:sleep").out == "asleep for 0s; a request wakes it\n"
    assert hythe("apps").out == "shop (asleep)\n"
    hythe("ps:sleep", "--off")
    assert "never sleeps" in hythe("ps:sleep").out
    assert hythe("ps:sleep", "worker", "--after", "30m").code == 2
    assert hythe("ps:sleep", "web", "--after", "soon").code == 2
    assert hythe("ps:sleep", "web", "--after", "5s").code == 1
