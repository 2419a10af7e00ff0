"""Followers: whole states, resuming without a gap or a repeat, and ends in good order."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from builders import make_app, make_deployment, make_formation, make_release

from hythe.api import open_streams
from hythe.model import App, Database, Deployment, Instance, now
from hythe.observe.line import LogLine
from hythe.observe.store import LogStore
from hythe.settings import Settings
from hythe.transcript import Transcript

from .browser import Browser, setup_code
from .live_api import ControlPlane, control_plane


@dataclass
class Event:
    kind: str
    data: str
    id: str

    @property
    def document(self) -> Any:
        return json.loads(self.data)


def events(answer: httpx.Response) -> Iterator[Event]:
    """As the specification says; only fields that are used here. Ends with the stream."""
    assert answer.status_code == 200, answer.read()
    kind, data, place, rest = "", list[str](), "", ""
    for chunk in answer.iter_text():
        *lines, rest = (rest + chunk).split("\n")
        for line in lines:
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                data.append(value)
            elif name == "id":
                place = value
            elif not line and data:
                yield Event(kind, "\n".join(data), place)
                kind, data = "", []


@pytest.fixture
def shop(plane: ControlPlane) -> App:
    return make_shop(plane)


def make_shop(plane: ControlPlane) -> App:
    """An app whose v1 serves, with two web instances wanted and one up."""
    with plane.database.write() as tx:
        app = make_app(tx)
        release = make_release(tx, plane.vault, plane.settings, app)
        app.serving_id = make_deployment(tx, app, release).id
        make_formation(tx, app, web=2)
        tx.add(
            Instance(
                app_id=app.id,
                deployment_id=app.serving_id,
                process="web",
                index=1,
                address="10.192.0.16",
                state="up",
            )
        )
        return app


def change(plane: ControlPlane, app: App, **values: Any) -> None:
    with plane.database.write() as tx:
        row = tx.get_one(App, app.id)
        for name, value in values.items():
            setattr(row, name, value)


def test_the_list_is_sent_at_once_and_again_when_it_differs(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    with api.stream("GET", "/v1/apps/follow") as answer:
        stream = events(answer)
        first = next(stream)
        assert (first.kind, first.document) == ("apps", api.get("/v1/apps").json())
        (listed,) = first.document["items"]
        assert listed["state"] == "live"
        assert listed["instances"] == {"wanted": 2, "up": 1, "crashed": 0}
        assert listed["last_deployment"]["id"] == shop.serving_id
        started = time.monotonic()
        with plane.database.write() as tx:
            make_deployment(tx, shop, status="queued")
        second = next(stream)
        assert time.monotonic() - started < 1.5  # by the bell, not by the poll
    assert second.document["items"][0]["state"] == "deploying"


def test_an_app_is_sent_in_the_shapes_of_its_endpoints(api: httpx.Client, shop: App) -> None:
    with api.stream("GET", "/v1/apps/shop/follow") as answer:
        first = next(events(answer))
    assert first.kind == "app"
    assert first.document["app"] == api.get("/v1/apps/shop").json()
    for part in ("formation", "instances", "deployments", "releases"):
        assert first.document[part] == api.get(f"/v1/apps/shop/{part}").json(), part
        assert first.document[part]["items"], part


def test_what_another_process_commits_is_seen_too(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    other = Database(plane.settings.database)
    with api.stream("GET", "/v1/apps/shop/follow") as answer:
        stream = events(answer)
        next(stream)
        with other.write() as tx:
            make_formation(tx, shop, worker=3)
        second = next(stream)
    other.close()
    assert [item["process"] for item in second.document["formation"]["items"]] == ["web", "worker"]


def test_many_commits_make_few_events(plane: ControlPlane, api: httpx.Client, shop: App) -> None:
    with api.stream("GET", "/v1/apps/follow") as answer:
        stream = events(answer)
        next(stream)
        over = threading.Event()

        def work() -> None:
            for number in range(60):
                change(plane, shop, deploy_branch=f"branch-{number}")
                time.sleep(0.015)
            over.set()

        worker = threading.Thread(target=work)
        started = time.monotonic()
        worker.start()
        count, branch = 0, ""
        while branch != "branch-59":
            branch = next(stream).document["items"][0]["deploy_branch"]
            count += 1
        worker.join()
    assert over.is_set()
    assert 2 <= count <= 2 + 4 * (time.monotonic() - started)


def test_followers_share_a_document(plane: ControlPlane, api: httpx.Client, shop: App) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(plane.client()) for _ in range(12)]
        streams = [
            events(stack.enter_context(client.stream("GET", "/v1/apps/shop/follow")))
            for client in clients
        ]
        for stream in streams:
            next(stream)
        (document,) = plane.context.live._documents.values()
        made = []
        make = document._make

        def counting() -> str | None:
            made.append(1)
            return make()

        document._make = counting
        change(plane, shop, deploy_branch="other")
        assert {next(stream).document["app"]["deploy_branch"] for stream in streams} == {"other"}
        assert len(made) <= 3


@pytest.mark.parametrize("path", ["", "/logs", "/deployments/{deployment}"])
def test_a_stream_says_that_its_app_is_destroyed(
    plane: ControlPlane, api: httpx.Client, shop: App, path: str
) -> None:
    with plane.database.write() as tx:
        deployment = make_deployment(tx, shop, status="building").id
    path = path.format(deployment=deployment)
    with plane.client() as other, api.stream("GET", f"/v1/apps/shop{path}/follow") as answer:
        assert other.delete("/v1/apps/shop", params={"confirm": "shop"}).status_code == 202
        last = list(events(answer))[-1]
    assert (last.kind, last.document) == ("gone", {})


def test_a_new_app_of_the_same_name_is_another_one(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    with api.stream("GET", "/v1/apps/shop/follow") as answer:
        stream = events(answer)
        next(stream)
        with plane.database.write() as tx:
            row = tx.get_one(App, shop.id)
            row.name, row.destroyed_at = "shop-gone", now()
            make_app(tx)
        assert next(stream).kind == "gone"


def test_no_app_may_be_named_like_the_stream(api: httpx.Client) -> None:
    assert api.post("/v1/apps", json={"name": "follow"}).status_code == 422


Write = Callable[[ControlPlane, App, int], None]


def write_transcript(plane: ControlPlane, app: App, number: int) -> None:
    assert app.serving_id is not None
    Transcript.of(plane.settings, app.serving_id).raw(f"line {number}\r<b>é</b>\u2028 {number}")


def write_log(plane: ControlPlane, app: App, number: int) -> None:
    LogStore(plane.settings).append(app.id, [LogLine(1.0, f"line {number}", "web", 1, "v1")])


@pytest.mark.parametrize(
    ("path", "write"),
    [("deployments/1/follow", write_transcript), ("logs/follow?n=2", write_log)],
    ids=["transcript", "log"],
)
def test_a_follower_resumes_after_a_restart_without_gap_or_repeat(
    settings: Settings, database: Database, path: str, write: Write
) -> None:
    """Three lives of the control plane; lines come while it is up and while it is down."""
    got: list[str] = []
    place = ""
    written = 0
    for life in range(3):
        with control_plane(settings, database) as plane, plane.client() as api:
            if life == 0:
                shop = make_shop(plane)
                assert shop.serving_id == 1
            headers = {"Last-Event-ID": place} if place else {}
            with api.stream("GET", f"/v1/apps/shop/{path}", headers=headers) as answer:
                for _ in range(3):
                    write(plane, shop, written)
                    written += 1
                for event in events(answer):
                    got.append(event.data)
                    place = event.id
                    if f"line {written - 1}" in event.data:
                        break
        for _ in range(3):
            write(plane, shop, written)
            written += 1
    numbers = [int(data.split("line ")[1].split("\n")[0].split('"')[0]) for data in got]
    assert numbers == list(range(written - 3))


def test_a_transcripts_line_is_one_event_whatever_is_in_it(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    assert shop.serving_id is not None
    transcript = Transcript.of(plane.settings, shop.serving_id)
    transcript.raw("10%\r20%\revent: end\rdata: {}\x0b<script>alert(1)</script>")
    with plane.database.write() as tx:
        tx.get_one(Deployment, shop.serving_id).ended_at = now()
    with api.stream("GET", f"/v1/apps/shop/deployments/{shop.serving_id}/follow") as answer:
        line, end = events(answer)
    assert line.data == "10%\n20%\nevent: end\ndata: {}\x0b<script>alert(1)</script>"
    assert (line.kind, end.kind) == ("line", "end")


def test_a_quiet_log_has_a_place_to_resume_from(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    with api.stream("GET", "/v1/apps/shop/logs/follow") as answer:
        place = next(line for line in answer.iter_lines() if line.startswith("id: "))
    write_log(plane, shop, 0)
    headers = {"Last-Event-ID": place.removeprefix("id: ")}
    with api.stream("GET", "/v1/apps/shop/logs/follow?n=0", headers=headers) as answer:
        assert next(events(answer)).document["text"] == "line 0"


@pytest.mark.parametrize("place", ["x", "-1", "1e3", "9" * 20, "\u0661"])
def test_what_is_no_place_is_refused(api: httpx.Client, shop: App, place: str) -> None:
    headers = {"Last-Event-ID": place.encode()}
    path = f"/v1/apps/shop/deployments/{shop.serving_id}/follow"
    assert api.get(path, headers=headers).status_code == 422


def test_streams_end_at_shutdown_and_say_when_to_come_back(
    settings: Settings, database: Database
) -> None:
    with control_plane(settings, database) as plane, plane.client() as api:
        make_shop(plane)
        with api.stream("GET", "/v1/apps/follow") as answer:
            chunks = answer.iter_text()
            assert next(chunks).startswith("retry: ")
            started = time.monotonic()
            plane.context.open_streams.close()
            for _ in chunks:  # ends without an error
                pass
            assert time.monotonic() - started < 1
        again = api.get("/v1/apps/follow")
    assert again.text == ""


@pytest.fixture
def quick_recheck(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_streams.RECHECK_SECONDS < 5
    monkeypatch.setattr(open_streams, "RECHECK_SECONDS", 0.2)


@pytest.mark.usefixtures("quick_recheck")
def test_streams_end_when_their_reader_signs_out(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    with Browser(plane) as browser, Browser(plane) as stays:
        browser.set_up(setup_code(api))
        stays.sign_in()
        with (
            browser.http.stream("GET", "/v1/apps/follow") as answer,
            stays.http.stream("GET", "/v1/apps/follow") as other,
        ):
            stream, remaining = events(answer), events(other)
            next(stream), next(remaining)
            assert browser.request("DELETE", "/v1/session").status_code == 204
            assert list(stream) == []
            change(plane, shop, deploy_branch="other")
            assert next(remaining).document["items"][0]["deploy_branch"] == "other"


@pytest.mark.usefixtures("quick_recheck")
def test_streams_end_when_their_token_is_revoked(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    made = api.post("/v1/tokens", json={"name": "ci", "scope": "read"}).json()
    with (
        plane.with_token(made["token"]) as client,
        client.stream("GET", "/v1/apps/shop/logs/follow") as answer,
    ):
        api.delete(f"/v1/tokens/{made['id']}")
        assert list(events(answer)) == []
