import time

import httpx
import pytest
from builders import make_app, make_formation

from hythe.model import App, Instance
from hythe.observe import figures
from hythe.observe.rollup import LONG, SHORT

from .live_api import ControlPlane

HELD = {"cpu": 0.25, "memory": 2**20, "limit": 2**29, "received": 100, "restarts": 2}


@pytest.fixture
def shop(plane: ControlPlane) -> App:
    """An app that was measured until now, and web.2 a day ago."""
    with plane.database.write() as tx:
        app = make_app(tx)
        make_formation(tx, app, web=2)
    home, now = plane.settings.home, time.time()
    figures.instance(home, app.id, "web.1").write(SHORT, now - 10, HELD)
    figures.instance(home, app.id, "web.2").write(LONG, now - 2 * 86_400, HELD)
    counted = {"requests": 50, "s5xx": 10, "p95": 0.25, "in_flight": 4}
    figures.traffic(home, app.id).write(SHORT, now - 10, counted)
    return app


def test_what_is_used_now(api: httpx.Client, shop: App) -> None:
    now = api.get("/v1/apps/shop/metrics").json()
    (web,) = now["instances"]
    assert (web["name"], web["cpu"], web["memory"], web["limit"]) == ("web.1", 0.25, 2**20, 2**29)
    assert (web["received"], web["restarts"], web["oom_kills"]) == (10, 2, 0)
    traffic = now["traffic"]
    assert (traffic["requests"], traffic["failed"], traffic["p95"]) == (5, 1, 0.25)


@pytest.mark.usefixtures("shop")
def test_a_series_is_given_in_the_finest_step_that_reaches_back(api: httpx.Client) -> None:
    hour = api.get("/v1/apps/shop/metrics/web.1").json()
    assert (hour["step"], len(hour["points"])) == (10, 1)
    assert dict(zip(hour["fields"], hour["points"][0][1:], strict=True))["cpu"] == 0.25
    since = {"since": time.time() - 7 * 86_400}
    week = api.get("/v1/apps/shop/metrics/web.2", params=since).json()
    assert (week["step"], len(week["points"])) == (300, 1)
    assert api.get("/v1/apps/shop/metrics/requests").json()["points"][0][1] == 50


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("path", ["web.9", "%2e%2e%2fkey", "requests?step=7"])
def test_what_is_not_there_is_refused(api: httpx.Client, path: str) -> None:
    assert 400 <= api.get(f"/v1/apps/shop/metrics/{path}").status_code < 500


def test_prometheus_gets_all_apps_with_a_token(
    api: httpx.Client, plane: ControlPlane, shop: App
) -> None:
    with plane.database.write() as tx:
        tx.add(
            Instance(
                app_id=shop.id, deployment_id=_deployment(tx, shop), process="web", index=1,
                address="10.0.0.1", state="up",
            )
        )  # fmt: skip
    answer = api.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert 'hythe_instance_cpu_cores{app="shop",instance="web.1"} 0.25' in lines
    assert 'hythe_instance_restarts_total{app="shop",instance="web.1"} 2' in lines
    assert 'hythe_instances{app="shop",process="web",state="up"} 1' in lines
    assert 'hythe_instances_wanted{app="shop",process="web"} 2' in lines
    assert "# TYPE hythe_requests_total counter" in lines
    assert httpx.get(f"{plane.url}/metrics").status_code == 401


def _deployment(tx: object, app: App) -> int:
    from builders import make_deployment

    return make_deployment(tx, app).id  # type: ignore[arg-type]
