import httpx
import pytest
from builders import make_app, make_deployment, make_release
from sqlalchemy import select

from hythe.model import App, Event, now

from .live_api import ControlPlane


def test_an_app_is_created_listed_and_shown(plane: ControlPlane, api: httpx.Client) -> None:
    made = api.post("/v1/apps", json={"name": "shop"})
    assert made.status_code == 201
    assert made.json()["url"] == "http://shop.localhost:8080"
    assert made.json()["git_url"] == f"{plane.url}/shop.git"
    assert made.json()["release"] is None
    assert made.json()["created_at"].endswith("Z")
    assert api.get("/v1/apps").json() == {"items": [made.json()]}
    shown = api.get("/v1/apps/shop").json()
    assert shown["hosts"] == ["shop.localhost"]
    assert shown["builder"] is None


def test_an_app_without_a_name_gets_one(api: httpx.Client) -> None:
    first = api.post("/v1/apps", json={}).json()["name"]
    second = api.post("/v1/apps", json={}).json()["name"]
    assert first != second
    assert api.get(f"/v1/apps/{first}").status_code == 200


def test_creating_is_an_event_of_its_actor(plane: ControlPlane, api: httpx.Client) -> None:
    api.post("/v1/apps", json={"name": "shop"})
    with plane.database.read() as session:
        event = session.scalars(select(Event)).one()
    assert (event.kind, event.actor) == ("app.create", "tester")


@pytest.mark.parametrize(
    "name",
    ["", "-a", "a-", "A", "1a", "a.b", "a_b", "a" * 41, "a b", "é", "../a", "hythe", "a\n", "a/b"],
)
def test_names_that_are_no_dns_labels_are_refused(api: httpx.Client, name: str) -> None:
    answer = api.post("/v1/apps", json={"name": name})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid-name"
    assert api.get("/v1/apps").json()["items"] == []


def test_an_endless_name_is_refused(api: httpx.Client) -> None:
    answer = api.post("/v1/apps", json={"name": "a" * 100_000})
    assert answer.status_code == 422
    assert len(answer.text) < 1000


def test_a_taken_name_is_refused(api: httpx.Client) -> None:
    api.post("/v1/apps", json={"name": "shop"})
    answer = api.post("/v1/apps", json={"name": "shop"})
    assert answer.status_code == 409
    assert answer.json()["code"] == "name-taken"


def test_destroying_needs_the_name_as_confirmation(api: httpx.Client) -> None:
    api.post("/v1/apps", json={"name": "shop"})
    assert api.delete("/v1/apps/shop").status_code == 422
    assert api.delete("/v1/apps/shop", params={"confirm": "chop"}).status_code == 422
    assert api.get("/v1/apps/shop").status_code == 200


def test_a_destroyed_app_is_gone_and_wakes_the_loop(plane: ControlPlane, api: httpx.Client) -> None:
    api.post("/v1/apps", json={"name": "shop"})
    bell = plane.database.subscribe()
    assert api.delete("/v1/apps/shop", params={"confirm": "shop"}).status_code == 202
    assert len(bell.wait(5)) == 1
    assert api.get("/v1/apps/shop").status_code == 404
    assert api.get("/v1/apps").json()["items"] == []
    with plane.database.read() as session:
        assert session.scalars(select(App.destroyed_at)).one() is not None


def test_its_name_is_taken_until_the_loop_has_cleaned_up(
    plane: ControlPlane, api: httpx.Client
) -> None:
    with plane.database.write() as tx:
        make_app(tx, "shop", destroyed_at=now())
    answer = api.post("/v1/apps", json={"name": "shop"})
    assert answer.status_code == 409
    assert "still being destroyed" in answer.json()["detail"]


def test_an_app_shows_what_it_serves(plane: ControlPlane, api: httpx.Client) -> None:
    with plane.database.write() as tx:
        app = make_app(tx)
        release = make_release(tx, plane.vault, plane.settings, app, version=7)
        app.serving_id = make_deployment(tx, app, release).id
    assert [item["release"] for item in api.get("/v1/apps").json()["items"]] == [7]
    shown = api.get("/v1/apps/shop").json()
    assert (shown["builder"], shown["user"], shown["release"]) == ("buildpacks", "app", 7)
