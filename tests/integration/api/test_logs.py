import json
import shutil
import socket
from dataclasses import replace

import httpx
import pytest
from builders import make_app

from hythe.model import App
from hythe.observe.line import LogLine
from hythe.observe.pulse import Pulse
from hythe.observe.store import LogStore

from .live_api import ControlPlane

PATH = "/v1/apps/shop/logs"


@pytest.fixture
def shop(plane: ControlPlane) -> App:
    with plane.database.write() as tx:
        return make_app(tx)


def write(plane: ControlPlane, app: App, *texts: str, process: str = "web") -> None:
    source = "router" if process == "router" else "app"
    lines = [
        LogLine(1_700_000_000 + number, text, process, 1, "v7", source=source)
        for number, text in enumerate(texts)
    ]
    LogStore(plane.settings).append(app.id, lines)


def texts(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["text"] for item in answer.json()["items"]]


def test_the_last_lines_are_shown_oldest_first(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    write(plane, shop, *map(str, range(10)))
    assert texts(api.get(PATH, params={"n": 3})) == ["7", "8", "9"]
    first = api.get(PATH).json()["items"][0]
    assert (first["instance"], first["release"], first["source"]) == ("web.1", "v7", "app")
    assert first["time"] == "2023-11-14T22:13:20Z"


def test_lines_are_chosen_by_process_instance_and_source(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    write(plane, shop, "a")
    write(plane, shop, "b", process="worker")
    write(plane, shop, "c", process="router")
    assert texts(api.get(PATH, params={"process": "worker"})) == ["b"]
    assert texts(api.get(PATH, params={"instance": "web.1"})) == ["a"]
    assert texts(api.get(PATH, params={"source": "router"})) == ["c"]
    assert api.get(PATH, params={"source": "moon"}).status_code == 422
    assert api.get(PATH, params={"n": -1}).status_code == 422


def test_lines_are_chosen_by_release_request_text_and_time(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    write(plane, shop, "first", "second, of abc-1", "third")  # at 22:13:20 and the seconds after
    LogStore(plane.settings).append(
        shop.id,
        [
            LogLine(1_700_000_003, "at=info", "router", source="router", request_id="abc-1"),
            LogLine(1_700_000_004, "pip", "build", source="build"),
        ],
    )
    assert texts(api.get(PATH, params={"release": "v7", "n": 2})) == ["second, of abc-1", "third"]
    assert texts(api.get(PATH, params={"release": "8"})) == []
    asked = api.get(PATH, params={"request_id": "abc-1"})
    assert texts(asked) == ["second, of abc-1", "at=info"]
    assert [item["request_id"] for item in asked.json()["items"]] == ["", "abc-1"]
    assert texts(api.get(PATH, params={"text": "ir"})) == ["first", "third"]
    between = {"since": "2023-11-14T22:13:21Z", "until": "2023-11-14T23:13:22+01:00"}
    assert texts(api.get(PATH, params=between)) == ["second, of abc-1"]
    assert texts(api.get(PATH, params={"source": "build"})) == ["pip"]
    assert texts(api.get(PATH))[-1:] == ["at=info"]
    assert texts(api.get(PATH, params={"source": "all"}))[-1:] == ["pip"]
    assert api.get(PATH, params={"since": "yesterday"}).status_code == 422


def test_a_follower_who_is_too_slow_is_told_what_it_missed(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    store = LogStore(replace(plane.settings, log_bytes=1024 * 1024))
    store.append(shop.id, [LogLine(1.0, "first", "web", 1)])
    with api.stream("GET", f"{PATH}/follow") as answer:
        events = answer.iter_lines()
        next(line for line in events if line.startswith("data: "))
        segments = store.segments(shop.id)
        with segments.locked():  # as if it had slept while the log moved on
            shutil.rmtree(segments.folder)
            segments.folder.mkdir()
            (segments.folder / "00000009.log").write_text('{"lines":501}\n')
        store.append(shop.id, [LogLine(1.0, "last", "web", 1)])
        while next(events) != "event: missed":
            pass
        assert next(events) == "data: 500 lines lost"


def test_a_follower_who_never_reads_holds_up_nobody(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    """More is written than sockets hold; others are answered meanwhile, and it was not cut off."""
    url = httpx.URL(str(api.base_url))
    token = api.headers["Authorization"]
    deaf = socket.create_connection((url.host, url.port or 80), 10)
    asked = f"GET {PATH}/follow HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {token}\r\n\r\n"
    deaf.sendall(asked.encode())
    assert deaf.recv(15) == b"HTTP/1.1 200 OK"
    for _ in range(20):
        write(plane, shop, *["x" * 1000] * 1000)
        assert len(texts(api.get(PATH, params={"n": 10}))) == 10
    assert b"x" * 1000 in deaf.recv(100_000, socket.MSG_WAITALL)
    deaf.close()


def test_an_app_without_lines_has_an_empty_log(api: httpx.Client, shop: App) -> None:
    assert texts(api.get(PATH)) == []
    assert api.get("/v1/apps/nowhere/logs").status_code == 404


def test_a_follower_gets_old_lines_and_new_ones_without_a_gap(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    write(plane, shop, "0", "1", "2")
    got, cursor = [], ""
    with api.stream("GET", f"{PATH}/follow", params={"n": 2}) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                document = json.loads(line.removeprefix("data: "))
                got.append(document["text"])
                cursor = document["cursor"]
                if got[-1] == "2":
                    write(plane, shop, "3", "4")
            if got[-1:] == ["4"]:
                break
    assert got == ["1", "2", "3", "4"]
    write(plane, shop, "5")
    with api.stream("GET", f"{PATH}/follow", params={"after": cursor}) as answer:
        data = next(line for line in answer.iter_lines() if line.startswith("data: "))
    assert json.loads(data.removeprefix("data: "))["text"] == "5"


@pytest.mark.parametrize("cursor", ["x", "1", "1:2:3", "-1:0", ""])
def test_what_is_no_cursor_is_refused(api: httpx.Client, shop: App, cursor: str) -> None:
    assert api.get(f"{PATH}/follow", params={"after": cursor}).status_code == 422


def test_health_says_whether_anybody_collects(plane: ControlPlane, api: httpx.Client) -> None:
    assert api.get("/healthz").json()["collector"] == "away"
    pulse = Pulse(plane.settings.home)
    assert api.get("/healthz").json()["collector"] == "works"
    pulse.close()
