import json
import threading
import time

import httpx
import pytest
from builders import make_app, make_deployment

from hythe.errors import BuildTimeout
from hythe.model import App, fail

from .live_api import ControlPlane
from .test_streams import events


@pytest.fixture
def shop(plane: ControlPlane) -> App:
    with plane.database.write() as tx:
        app = make_app(tx)
        other = make_app(tx, "blog")
        tx.note("app.create", "Create shop", actor="alice", app_id=app.id)
        tx.note("app.create", "Create blog", actor="alice", app_id=other.id)
        fail(tx, make_deployment(tx, app, status="building"), BuildTimeout())
        tx.note("engine.away", "The container engine does not answer.", fix="Start it.")
        return app


def messages(api: httpx.Client, **query: str | int) -> list[str]:
    answer = api.get("/v1/events", params=query)
    assert answer.status_code == 200, answer.text
    return [item["message"] for item in answer.json()["items"]]


def test_events_of_all_are_listed_oldest_first_with_their_fix(api: httpx.Client, shop: App) -> None:
    listed = api.get("/v1/events", params={"n": 3}).json()["items"]
    assert [item["kind"] for item in listed] == ["app.create", "deploy.failed", "engine.away"]
    assert [item["app"] for item in listed] == ["blog", "shop", None]
    failed = listed[1]
    assert (failed["message"], failed["fix"]) == (BuildTimeout().cause, BuildTimeout().fix)
    assert failed["data"]["code"] == BuildTimeout.code
    older = api.get("/v1/events", params={"before": listed[0]["id"], "app": "shop"}).json()
    assert [item["message"] for item in older["items"]] == ["Create shop"]


def test_events_are_chosen_by_app_and_kind(api: httpx.Client, shop: App) -> None:
    assert len(messages(api, app="shop")) == 2
    assert messages(api, app="shop", kind="app.create") == ["Create shop"]
    assert messages(api, kind="deploy") == [BuildTimeout().cause]
    assert messages(api, kind="deploy.f") == []
    assert api.get("/v1/events", params={"app": "nobody"}).status_code == 404


def test_an_app_s_events_outlive_it(api: httpx.Client, plane: ControlPlane, shop: App) -> None:
    with plane.database.write() as tx:
        tx.delete(tx.query(App).where(App.name == "blog").one())
    assert messages(api, app="blog") == ["Create blog"]


def test_a_follower_gets_the_newest_then_each_new_one_once(
    api: httpx.Client, plane: ControlPlane, shop: App
) -> None:
    def later() -> None:
        time.sleep(0.3)
        with plane.database.write() as tx:
            tx.note("app.scale", "Scale web=2", app_id=shop.id)

    threading.Thread(target=later).start()
    query = {"n": 1, "app": "shop"}
    with api.stream("GET", "/v1/events/follow", params=query) as answer:
        found = [next(stream) for stream in [events(answer)] for _ in range(2)]
    assert [json.loads(one.data)["kind"] for one in found] == ["deploy.failed", "app.scale"]
    query = {"after": found[0].id, "app": "shop"}
    with api.stream("GET", "/v1/events/follow", params=query) as answer:
        assert next(events(answer)).data == found[1].data
    assert api.get("/v1/events/follow", params={"after": "x"}).status_code == 422
