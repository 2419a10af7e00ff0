"""`hythe logs --tail` through restarts of the control plane."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hythe.cli import client as module
from hythe.cli.client import Client
from hythe.cli.credentials import Credentials
from hythe.cli.failure import Away, Failure


def event(kind: str, **data: object) -> bytes:
    place = f"id: {data['cursor']}\n" if "cursor" in data else ""
    return f"{place}event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


@contextmanager
def serving(*answers: bytes) -> Iterator[tuple[Client, list[str]]]:
    """A server that gives one answer a connection, and ends each in order."""
    asked: list[str] = []
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path.partition("?")[2])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(left.pop(0))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield Client(Credentials(f"http://127.0.0.1:{server.server_port}", "t")), asked
        server.shutdown()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)


def test_it_comes_back_where_it_was_and_says_that_the_app_is_gone() -> None:
    first = event("log", text="one", cursor="c1") + event("log", text="two", cursor="c2")
    with serving(first, b"", event("log", text="three", cursor="c3") + event("gone")) as (
        it,
        asked,
    ):
        lines = it.follow_logs("shop", 5)
        assert [next(lines)["text"] for _ in range(3)] == ["one", "two", "three"]
        with pytest.raises(Failure, match="shop was destroyed meanwhile"):
            next(lines)
    assert asked == ["n=5", "n=5&after=c2", "n=5&after=c2"]


def test_lines_that_were_missed_are_told_beside_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    missed = b"event: missed\ndata: 1200 lines lost\n\n"
    with serving(missed + event("log", text="one", cursor="c1")) as (it, _):
        assert next(it.follow_logs("shop", 5))["text"] == "one"
    said = capsys.readouterr()
    assert said.err == " !    The log moved on faster than it was read: 1200 lines lost.\n"
    assert said.out == ""


def test_nobody_at_all_is_said_at_once() -> None:
    with serving() as (it, _):
        pass
    with pytest.raises(Away):
        next(it.follow_logs("shop", 5))


def test_it_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    with serving(event("log", text="one", cursor="c1")) as (it, _):
        lines = it.follow_logs("shop", 5)
        next(lines)
    with pytest.raises(Away):
        next(lines)


def test_the_heir_of_a_deployment_is_followed_in_its_place() -> None:
    """A config var was set during the rollout: the same code goes live under that deployment."""
    first = b"event: line\ndata: Releasing v7\n\n" + event("end", id=1, status="superseded", heir=2)
    second = b"event: line\ndata: Releasing v8\n\n" + event("end", id=2, status="live", heir=None)
    with serving(first, second) as (it, _):
        following = it.follow_deployment("shop", 1)
        assert list(following) == ["Releasing v7", "Releasing v8"]
        assert following.end()["id"] == 2
