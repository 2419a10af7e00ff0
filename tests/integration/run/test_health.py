"""Readiness, against real servers."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hythe.run.health import Prober, ask

SECONDS = 10


class App(BaseHTTPRequestHandler):
    status = 200
    asked: list[str]

    def do_GET(self) -> None:
        self.send_response(type(self).status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    App.status = 200
    server = ThreadingHTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_complete_response_below_500_is_ready(server: ThreadingHTTPServer) -> None:
    for status in (200, 302, 404):
        App.status = status
        assert ask("127.0.0.1", server.server_port, "app").ready


def test_a_server_error_is_not_ready(server: ThreadingHTTPServer) -> None:
    App.status = 503
    answer = ask("127.0.0.1", server.server_port, "app")
    assert not answer.ready
    assert answer.said == "answered 503 on /"


def test_a_listener_that_never_answers_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hythe.run.health.READ_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answer = ask("127.0.0.1", listener.getsockname()[1], "app")
    assert not answer.ready
    assert "no answer" in answer.said


def test_half_a_response_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        answer = ask("127.0.0.1", listener.getsockname()[1], "app")
    assert not answer.ready


def test_a_closed_port_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert ask("127.0.0.1", port, "app").said == f"refuses connections on port {port}"


def test_the_prober_rings_when_an_app_gets_ready(server: ThreadingHTTPServer) -> None:
    App.status = 500
    rung = threading.Event()
    prober = Prober(lambda app_id: rung.set())
    prober.watch(1, 7, "127.0.0.1", server.server_port, "app")
    assert not rung.wait(0.2)
    App.status = 200
    assert rung.wait(SECONDS)
    assert prober.answers([7])[7].ready
    prober.forget(7)
    assert prober.answers([7]) == {}


def test_the_prober_asks_the_path_that_the_app_names(server: ThreadingHTTPServer) -> None:
    App.status = 200
    rung = threading.Event()
    prober = Prober(lambda app_id: rung.set())
    prober.watch(1, 7, "127.0.0.1", server.server_port, "app", "/up")
    assert rung.wait(SECONDS)
    assert prober.answers([7])[7].said == "answered 200 on /up"
    prober.forget(7)
