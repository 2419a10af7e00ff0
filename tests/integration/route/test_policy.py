"""What an app's settings and mode do to its requests."""

import signal
import threading
import time
from pathlib import Path

import pytest
from integration.route.rig import (
    HOST,
    Wire,
    answering,
    get,
    length_of,
    until,
    write_table,
)

from hythe.route.options import Limits
from hythe.route_settings import RouteSettings
from hythe.wire import Route, RouteTable, Target


@pytest.fixture
def routed(start_router, tmp_path: Path):
    """A router on a table file with any routes; `again` replaces them."""
    file = tmp_path / "table.json"

    class Routed:
        def __init__(self, *routes: Route, **given) -> None:
            self.write(*routes)
            self.router = start_router(table=file, **given)
            self.port = self.router.port

        def write(self, *routes: Route) -> None:
            write_table(file, RouteTable(1, 1, routes))

        def again(self, *routes: Route) -> None:
            self.write(*routes)
            self.router.signal(signal.SIGHUP)

    return Routed


def make_route(*servers, app: str = "app", hosts=(HOST,), mode: str = "serve", **settings) -> Route:
    targets = tuple(
        Target(f"{app}-{n}", "127.0.0.1", server.port, instance=f"web.{n}")
        for n, server in enumerate(servers, 1)
    )
    return Route(app, hosts, targets, mode=mode, settings=RouteSettings(**settings))


class Held:
    """An app whose answers wait until they are released, one by one."""

    def __init__(self, serve) -> None:
        self.asked: list[bytes] = []
        self._places = threading.Semaphore(0)
        self.server = serve(self._handle)

    def _handle(self, wire, head):
        self.asked.append(head.split()[1])
        assert self._places.acquire(timeout=15)
        answering(head.split()[1].decode())(wire, head)

    def release(self, count: int = 1) -> None:
        self._places.release(count)


def ask(port: int, path: str = "/", *lines: str, host: str = HOST) -> Wire:
    wire = Wire.dial(port)
    wire.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n" + "".join(f"{x}\r\n" for x in lines))
    wire.send("\r\n")
    return wire


def test_hosts_wildcards_and_paths_lead_to_their_apps(serve, routed):
    apps = {name: serve(answering(name)) for name in ("root", "api", "wild")}
    port = routed(
        make_route(apps["root"], app="root", hosts=("x.com",)),
        make_route(apps["api"], app="api", hosts=("x.com/api",)),
        make_route(apps["wild"], app="wild", hosts=("*.x.com",)),
    ).port
    found = {
        (host, path): get(port, path, host=host)[2]
        for host, path in [
            ("x.com", "/"), ("x.com", "/api/v1?q=//"), ("a.b.x.com", "/api"), ("X.com.", "/apis"),
        ]
    }  # fmt: skip
    assert list(found.values()) == [b"root", b"api", b"wild", b"root"]
    status, head, _ = get(port, "/api/..%2Fadmin", host="x.com")
    assert status == 400
    assert b"Hythe-Error: http-400" in head
    assert get(port, "/", host="y.com")[0] == 404
    assert b"GET /api/v1?q=// HTTP/1.1" in apps["api"].requests[0]  # as it came


def test_maintenance_answers_for_the_app_and_ends_without_a_trace(serve, routed):
    app = serve(answering())
    routed = routed(make_route(app, mode="maintenance"))
    status, head, body = get(routed.port)
    assert (status, b"Hythe-Error: H80" in head, b"Maintenance mode" in body) == (503, True, True)
    assert app.connections == 0
    routed.again(make_route(app))
    until(lambda: get(routed.port)[0] == 200)


def test_requests_of_a_paused_app_wait_and_then_pass_in_order(serve, routed):
    app = serve(answering())
    routed = routed(make_route(app, mode="hold"))
    wires = [ask(routed.port, f"/{n}") for n in range(3)]
    time.sleep(0.3)
    assert app.connections == 0
    routed.again(make_route(app))
    assert [wire.response()[0] for wire in wires] == [200] * 3


def test_a_waking_app_gets_its_requests_with_its_first_target(serve, routed):
    routed = routed(make_route(mode="hold"))
    wire = Wire.dial(routed.port)
    wire.send(f"POST /x HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\n\r\nhello")
    time.sleep(0.2)
    app = serve(answering("awake"))
    routed.again(make_route(app))
    assert wire.response()[2] == b"awake"


def test_a_held_request_ends_at_its_deadline(serve, routed):
    port = routed(make_route(serve(answering()), mode="hold", hold=0.3)).port
    started = time.monotonic()
    status, head, _ = get(port)
    assert (status, b"Hythe-Error: H20" in head) == (503, True)
    assert 0.25 < time.monotonic() - started < 3


def test_a_held_request_whose_client_leaves_is_forgotten(serve, routed):
    app = serve(answering())
    routed = routed(make_route(app, mode="hold", backlog=1))
    ask(routed.port, "/left").reset()
    until(lambda: "code=H27" in routed.router.log())
    wire = ask(routed.port, "/stays")  # the one place is free again
    time.sleep(0.1)
    routed.again(make_route(app))
    assert wire.response()[0] == 200
    assert [head.split()[1] for head in app.requests] == [b"/stays"]


def test_a_busy_app_has_a_bounded_backlog(serve, routed):
    app = Held(serve)
    port = routed(make_route(app.server, target_requests=2, backlog=2)).port
    first = [ask(port, "/1"), ask(port, "/2")]
    until(lambda: len(app.asked) == 2)
    later = [ask(port, "/3")]
    time.sleep(0.1)
    later.append(ask(port, "/4"))
    time.sleep(0.1)
    status, head, _ = get(port, "/5")
    assert (status, b"Hythe-Error: H11" in head) == (503, True)
    assert len(app.asked) == 2
    app.release()
    until(lambda: app.asked[2:] == [b"/3"])
    app.release(3)
    assert [wire.response()[0] for wire in [*first, *later]] == [200] * 4
    assert app.asked[3:] == [b"/4"]


def test_a_websocket_keeps_no_request_waiting(serve, routed):
    def handle(wire, head):
        if b"/ws" in head:
            wire.send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
            )
            wire.rest()
        else:
            answering()(wire, head)

    port = routed(make_route(serve(handle), target_requests=1)).port
    tunnel = ask(
        port, "/ws", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )  # fmt: skip
    assert b" 101 " in tunnel.head()
    assert get(port)[0] == 200
    tunnel.close()


def test_bodies_and_times_are_limited_by_app(serve, routed):
    small, slow = serve(answering()), serve(lambda wire, head: time.sleep(5))
    port = routed(
        make_route(small, app="small", hosts=("small.localhost",), body_limit=10),
        make_route(slow, app="slow", hosts=("slow.localhost",), first_byte=0.3),
        make_route(small, app="free", hosts=("free.localhost",)),
    ).port

    def post(host: str, framing: str, body: str) -> int:
        wire = Wire.dial(port)
        wire.send(f"POST / HTTP/1.1\r\nHost: {host}\r\n{framing}\r\n\r\n{body}")
        return wire.response()[0]

    assert post("small.localhost", "Content-Length: 10", "x" * 10) == 200
    assert post("small.localhost", "Content-Length: 11", "x" * 11) == 413
    assert post("small.localhost", "Transfer-Encoding: chunked", "b\r\nhello world\r\n") == 413
    assert post("free.localhost", "Content-Length: 11", "x" * 11) == 200
    started = time.monotonic()
    status, head, _ = get(port, host="slow.localhost")
    assert (status, b"H12" in head) == (504, True)
    assert time.monotonic() - started < 3


def test_a_sender_that_is_too_fast_is_told_when_to_come_again(serve, routed):
    app = serve(answering())
    port = routed(make_route(app, rate=1, burst=3), workers=2, trusted=("127.0.0.2/32",)).port
    answers = [get(port) for _ in range(6)]  # on connections to both workers
    assert [status for status, _, _ in answers] == [200] * 3 + [429] * 3
    assert b"Retry-After: 1\r\n" in answers[-1][1]
    time.sleep(1.05)
    assert get(port)[0] == 200


def test_a_browser_stays_at_its_target_while_that_can_serve(serve, routed):
    servers = [serve(answering(name)) for name in "abc"]
    routed = routed(make_route(*servers, sticky=True))
    _, head, body = get(routed.port)
    cookie = next(line for line in head.split(b"\r\n") if line.startswith(b"Set-Cookie: hythe-"))
    assert cookie.endswith(b"; Path=/; HttpOnly; SameSite=Lax")
    pair = cookie.split(b";")[0].removeprefix(b"Set-Cookie: ").decode()
    for _ in range(10):
        _, head, again = get(routed.port, "/", f"Cookie: theme=dark; {pair}")
        assert (again, b"Set-Cookie" in head) == (body, False)
    kept = servers["abc".index(body.decode())]
    kept.close()
    answers = [get(routed.port, "/", f"Cookie: {pair}") for _ in range(5)]
    assert {status for status, _, _ in answers} == {200}
    assert all(b"Set-Cookie" in head and other != body for _, head, other in answers)


def test_an_address_has_so_many_connections_and_no_more(serve, routed):
    port = routed(make_route(serve(answering())), limits=Limits(ip_connections=3)).port
    wires = [Wire.dial(port) for _ in range(4)]
    status, head, _ = wires[3].response()
    assert (status, b"Hythe-Error: H22" in head) == (503, True)
    wires[0].close()
    until(lambda: get(port)[0] == 200)
    for wire in wires[1:]:
        wire.close()


def test_a_failing_target_is_ejected_and_the_last_one_is_not(serve, routed):
    def failing(wire, head):
        wire.exactly(length_of(head))
        wire.send("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")

    bad, good = serve(failing), serve(answering())
    routed = routed(make_route(bad, good))
    statuses = [get(routed.port)[0] for _ in range(80)]
    assert statuses.count(500) == 5
    assert set(statuses[40:]) == {200}
    routed.again(make_route(bad))
    until(lambda: get(routed.port)[0] == 500)
    assert [get(routed.port)[0] for _ in range(10)] == [500] * 10
