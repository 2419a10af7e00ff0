import json

import httpx
import pytest
from builders import make_app, stored

from hythe.model import App
from hythe.observe.line import LogLine
from hythe.observe.store import LogStore

from .live_api import ControlPlane

PATH = "/v1/apps/shop/drains"
URL = "https://me:secret@logs.example.com/in?key=hidden"
SHOWN = "https://me:***@logs.example.com/in?key=***"


@pytest.fixture(autouse=True)
def shop(plane: ControlPlane) -> App:
    with plane.database.write() as tx:
        make_app(tx, "other")
        return make_app(tx, "shop")


def test_drains_are_added_listed_and_removed(plane: ControlPlane, api: httpx.Client) -> None:
    made = api.post(PATH, json={"url": URL})
    assert made.status_code == 201
    assert (made.json()["url"], made.json()["status"]) == (SHOWN, "starting")
    assert [item["url"] for item in api.get(PATH).json()["items"]] == [SHOWN]
    number = made.json()["id"]
    assert api.delete(f"/v1/apps/other/drains/{number}").status_code == 404
    assert api.delete(f"{PATH}/{number}").status_code == 204
    assert api.delete(f"{PATH}/{number}").status_code == 404
    assert api.get(PATH).json()["items"] == []


def test_what_is_secret_is_neither_shown_nor_stored_as_it_is(
    plane: ControlPlane, api: httpx.Client
) -> None:
    api.post(PATH, json={"url": URL})
    kept = stored(plane.settings, plane.database)
    assert b"logs.example.com" in kept
    assert b"secret" not in kept
    assert b"hidden" not in kept
    refused = api.post(PATH, json={"url": "syslog://me:secret@logs.example.com"})
    assert refused.status_code == 422
    assert "secret" not in refused.text


def test_a_drain_is_added_once_and_ten_are_the_most(api: httpx.Client) -> None:
    assert api.post(PATH, json={"url": URL}).status_code == 201
    assert api.post(PATH, json={"url": URL}).status_code == 409
    for port in range(1, 10):
        assert api.post(PATH, json={"url": f"syslog://host:{port}"}).status_code == 201
    assert api.post(PATH, json={"url": "syslog://host:10"}).status_code == 409
    assert api.delete(f"{PATH}/{2**40}").status_code == 422


def test_how_a_drain_does_is_what_the_collector_says(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    number = api.post(PATH, json={"url": URL}).json()["id"]
    LogStore(plane.settings).append(
        shop.id, [LogLine(1.0, str(line), "web", 1) for line in range(50)]
    )
    said = {
        "cursor": "1:500",
        "seen": 12,
        "sent": 10,
        "dropped": 2,
        "error": "connection refused",
        "since": 1_700_000_000.0,
    }
    (plane.settings.log_dir / "drains.json").write_text(json.dumps({number: said}))
    (found,) = api.get(PATH).json()["items"]
    assert (found["status"], found["error"]) == ("failing", "connection refused")
    assert found["failing_since"] == "2023-11-14T22:13:20Z"
    assert (found["sent"], found["dropped"], found["behind"]) == (10, 2, 38)
