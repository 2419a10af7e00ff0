"""How an app's requests are handled: what is set, and that the next table has it."""

import httpx
import pytest
from builders import make_app
from sqlalchemy.orm import Session

from hythe.model import Domain
from hythe.route_settings import RouteSettings
from hythe.run.publish import derive

from .live_api import ControlPlane

PATH = "/v1/apps/shop/routing"


@pytest.fixture(autouse=True)
def shop(plane: ControlPlane) -> None:
    with plane.database.write() as tx:
        make_app(tx, "shop")
        make_app(tx, "other")


def route(plane: ControlPlane):
    with plane.database.read() as session:
        assert isinstance(session, Session)
        return next(r for r in derive(session, plane.settings) if r.app == "shop")


def values(answer: httpx.Response) -> dict[str, str]:
    return {one["key"]: one["value"] for one in answer.json()["settings"] if one["value"]}


def test_an_app_follows_the_routers_defaults(plane: ControlPlane, api: httpx.Client) -> None:
    answer = api.get(PATH)
    assert answer.json()["mode"] == "serve"
    assert values(answer) == {}
    assert {one["key"] for one in answer.json()["settings"]} == {
        key.replace("_", "-") for key in RouteSettings.KNOBS
    }
    assert (route(plane).mode, route(plane).settings) == ("serve", RouteSettings())


def test_settings_reach_the_table_without_a_release(plane: ControlPlane, api: httpx.Client) -> None:
    bell = plane.database.subscribe()
    given = {"body-limit": "10M", "first-byte": "1m", "sticky": "on", "rate": "20"}
    answer = api.patch(PATH, json={"settings": given})
    assert answer.status_code == 200
    assert values(answer) == {
        "body-limit": "10M",
        "first-byte": "60s",
        "sticky": "on",
        "rate": "20",
    }
    assert bell.wait(5)
    assert route(plane).settings == RouteSettings(
        body_limit=10 * 1024**2, first_byte=60.0, sticky=True, rate=20
    )
    answer = api.patch(PATH, json={"settings": {"rate": None, "hold": "5s"}})
    assert values(answer) == {
        "body-limit": "10M", "first-byte": "60s", "sticky": "on", "hold": "5s"
    }  # fmt: skip


def test_modes_are_switched_and_leave_the_settings(plane: ControlPlane, api: httpx.Client) -> None:
    api.patch(PATH, json={"settings": {"hold": "5s"}})
    for mode in ("maintenance", "hold", "serve"):
        answer = api.patch(PATH, json={"mode": mode})
        assert answer.json()["mode"] == mode
        assert values(answer) == {"hold": "5s"}
        assert route(plane).mode == mode


@pytest.mark.parametrize(
    "body",
    [
        {"settings": {"colour": "blue"}},
        {"settings": {"body-limit": "ten"}},
        {"settings": {"first-byte": "0s", "rate": "5"}},
        {"mode": "off"},
    ],
)
def test_what_makes_no_sense_changes_nothing(
    plane: ControlPlane, api: httpx.Client, body: dict[str, object]
) -> None:
    answer = api.patch(PATH, json=body)
    assert answer.status_code == 422
    assert answer.json()["fix"]
    assert route(plane).settings == RouteSettings()


def test_wildcards_and_paths_are_domains_too(plane: ControlPlane, api: httpx.Client) -> None:
    domains = "/v1/apps/shop/domains"
    for body in (
        {"host": "*.Shop.com"},
        {"host": "example.com", "path": "/shop/"},
        {"host": "*.example.com", "path": "/a/b"},
    ):
        assert api.post(domains, json=body).status_code == 201
    places = ("*.example.com/a/b", "*.shop.com", "example.com/shop")
    assert route(plane).hosts == ("shop.localhost", *places)
    taken = api.post("/v1/apps/other/domains", json={"host": "example.com", "path": "/shop"})
    assert taken.json()["code"] == "domain-taken"
    assert api.post("/v1/apps/other/domains", json={"host": "example.com"}).status_code == 201
    for place in places:
        assert api.delete(f"{domains}/{place}").status_code == 204
    assert route(plane).hosts == ("shop.localhost",)
    with plane.database.read() as session:
        assert session.query(Domain).count() == 1


@pytest.mark.parametrize(
    "body",
    [
        {"host": "*"},
        {"host": "*.localhost"},
        {"host": "a.*.com"},
        {"host": "x.com", "path": "shop"},
        {"host": "x.com", "path": "/a/../b"},
        {"host": "x.com", "path": "/a%2fb"},
        {"host": "x.com", "path": "/a//b"},
        {"host": "other.localhost", "path": "/x"},
    ],
)
def test_bad_places_are_refused(api: httpx.Client, body: dict[str, str]) -> None:
    assert api.post("/v1/apps/shop/domains", json=body).status_code == 422
