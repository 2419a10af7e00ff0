import json
import time

import pytest
from builders import make_deployment

from hythe.model import App, Instance, now
from hythe.observe import figures
from hythe.observe.rollup import SHORT

from ..live_api import ControlPlane
from .conftest import Hythe


@pytest.fixture
def measured(plane: ControlPlane, shop: App) -> App:
    with plane.database.write() as tx:
        tx.add(
            Instance(
                app_id=shop.id, deployment_id=make_deployment(tx, shop).id, process="web", index=1,
                address="10.0.0.1", state="up", ready_at=now(),
            )
        )  # fmt: skip
    values = {"cpu": 0.125, "memory": 134 * 2**20, "limit": 2**29, "oom_kills": 1}
    figures.instance(plane.settings.home, shop.id, "web.1").write(SHORT, time.time() - 10, values)
    return shop


def test_what_is_used_is_shown(hythe: Hythe, measured: App) -> None:
    assert "web.1: up for 0s, 12% CPU, 134 of 512 MiB\n" in hythe("ps").out
    shown = hythe("metrics").out.splitlines()
    assert shown[0].startswith("Requests: none since")
    assert shown[-1].split() == [
        "web.1", "12%", "134", "MiB", "512", "MiB", "0.0", "kB/s", "0.0", "kB/s", "0", "1",
    ]  # fmt: skip


def test_a_history_is_shown(hythe: Hythe, measured: App) -> None:
    lines = hythe("metrics", "web.1", "--since", "30m").out.splitlines()
    assert lines[0].split()[:3] == ["Time", "cpu", "memory"]
    assert lines[1].split()[2] == "0.125", lines
    assert len(json.loads(hythe("metrics", "web.1", "--json").out)["points"]) == 1
    assert hythe("metrics", "web.1", "--since", "soon").code == 2
    assert hythe("metrics", "web.7").code == 1
