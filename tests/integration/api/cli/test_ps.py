import json
from datetime import timedelta

import pytest
from builders import make_deployment

from hythe.model import App, Instance, now

from ..live_api import ControlPlane
from .conftest import Hythe


def test_scaling(hythe: Hythe, shop: App) -> None:
    assert hythe("ps:scale", "web=3").out == "Scaling web... done, now running web at 3\n"
    ran = hythe("ps:scale", "web-1", "worker+2")
    assert ran.out == "Scaling web, worker... done, now running web at 2, worker at 2\n"


def test_scale_without_arguments_can_be_typed_back(hythe: Hythe, shop: App) -> None:
    hythe("ps:scale", "web=2")
    line = hythe("ps:scale").out
    assert line == "web=2 worker=0\n"
    assert hythe("ps:scale", *line.split()).code == 0


@pytest.mark.parametrize("change", ["web=-1", "web=9999", "web=" + "9" * 40, "web-5", "clock=1"])
def test_impossible_scales_are_refused_by_the_api(hythe: Hythe, shop: App, change: str) -> None:
    ran = hythe("ps:scale", change)
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 2
    assert hythe("ps:scale").out == "web=1 worker=0\n"


@pytest.mark.parametrize("change", ["web", "web=", "web=x", "=1", "web=1.5", "we b=1"])
def test_what_is_no_scale_is_a_misuse(hythe: Hythe, shop: App, change: str) -> None:
    assert hythe("ps:scale", change).code == 2


def test_instances_are_listed_by_process(hythe: Hythe, plane: ControlPlane, shop: App) -> None:
    assert hythe("ps").out.startswith("Nothing runs.")
    with plane.database.write() as tx:
        deployment = make_deployment(tx, shop)
        for number, (process, state) in enumerate([("web", "up"), ("worker", "crashed")], start=1):
            tx.add(
                Instance(
                    app_id=shop.id, deployment_id=deployment.id, process=process, index=1,
                    address=f"10.0.0.{number}", state=state, crashes=3, exit_code=1,
                    started_at=now() - timedelta(minutes=9), ready_at=now() - timedelta(minutes=5),
                )
            )  # fmt: skip
    assert hythe("ps").out == (
        "=== web (1): serve\n"
        "web.1: up for 5m\n"
        "\n"
        "=== worker (0): work\n"
        "worker.1: crashed for 9m, crashed 3 times, last exit code 1\n"
    )
    assert [item["name"] for item in json.loads(hythe("ps", "--json").out)] == ["web.1", "worker.1"]


def test_restart(hythe: Hythe, plane: ControlPlane, shop: App) -> None:
    with plane.carrying_out():
        assert hythe("ps:restart").out == "Restarting shop... done\n"
