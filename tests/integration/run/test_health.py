"""Readiness, against real servers."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hythe.engine.memory import Memory
from hythe.healthcheck import HealthCheck
from hythe.run.health import Prober
from hythe.run.probes import ask, connect, make

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


def test_a_listener_that_never_answers_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        answer = ask("127.0.0.1", port, "app", check=HealthCheck(timeout=0.2))
        assert connect("127.0.0.1", port, HealthCheck()).ready  # a TCP check is content with that
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
    prober.watch(1, 7, lambda: ask("127.0.0.1", server.server_port, "app"))
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
    prober.watch(1, 7, lambda: ask("127.0.0.1", server.server_port, "app", "/up"))
    assert rung.wait(SECONDS)
    assert prober.answers([7])[7].said == "answered 200 on /up"
    prober.forget(7)


@pytest.mark.parametrize(
    ("check", "ready", "said"),
    [
        (HealthCheck(lowest=200, highest=299), True, "answered 200 on /"),
        (HealthCheck(lowest=204, highest=204), False, "answered 200 on /"),
        (HealthCheck(content="ok"), True, "answered 200 on /"),
        (HealthCheck(content="well"), False, "answered 200 on /, without 'well'"),
        (HealthCheck(kind="tcp"), True, "takes connections on port"),
    ],
)
def test_what_app_json_asks_for(
    server: ThreadingHTTPServer, check: HealthCheck, ready: bool, said: str
) -> None:
    probe = make(check, Memory().engine.sessions, "c", "127.0.0.1", server.server_port, "app")
    answer = probe()
    assert (answer.ready, answer.said.startswith(said)) == (ready, True)


def test_the_host_that_the_check_names_is_asked_for(server: ThreadingHTTPServer) -> None:
    asked = []
    App.do_GET, before = lambda self: (asked.append(self.headers["Host"]), before(self)), App.do_GET
    try:
        sessions = Memory().engine.sessions
        for check in (HealthCheck(), HealthCheck(host="shop.example.com")):
            make(check, sessions, "c", "127.0.0.1", server.server_port, "app.localhost")()
    finally:
        App.do_GET = before
    assert asked == ["app.localhost", "shop.example.com"]


def test_instances_that_are_up_are_asked_until_they_are_forgotten(
    server: ThreadingHTTPServer,
) -> None:
    rung = threading.Event()
    prober = Prober(lambda app_id: rung.set())
    check = HealthCheck(wait=0.05, attempts=2)
    prober.tend(1, 7, lambda: ask("127.0.0.1", server.server_port, "app"), check)
    assert prober.lives([7, 8])[7].failures == 0
    assert not rung.wait(0.3)
    App.status = 500
    assert rung.wait(SECONDS)
    life = prober.lives([7])[7]
    assert life.failures >= 2
    assert life.said == "answered 500 on /"
    prober.forget(7)
    assert prober.lives([7]) == {}
    rung.clear()
    prober.tend(1, 7, lambda: ask("127.0.0.1", server.server_port, "app"), check)
    assert rung.wait(SECONDS)  # begun anew, with a thread of its own again
    prober.forget(7)
