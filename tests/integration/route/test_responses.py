"""Responses: framing towards the client, and what each failure of an app looks like."""

import socket
import time

import pytest
from integration.route.rig import (
    HOST,
    Wire,
    answering,
    get,
    length_of,
    make_table,
    sending,
    until,
    write_table,
)

from hythe.route.options import Timeouts
from hythe.wire import Route, RouteTable

ASK = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n"


def ask(router, request: str = ASK) -> Wire:
    wire = Wire.dial(router.port)
    wire.send(request)
    return wire


def test_a_chunked_response_is_chunked_anew(serve, route_to):
    app = serve(
        sending(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3;x=y\r\nabc\r\n0002\r\nde\r\n0\r\nX-Trailer: a\r\n\r\n"
        )
    )
    wire = ask(route_to(app))
    assert b"Transfer-Encoding: chunked\r\n" in wire.head()
    assert wire.upto(b"0\r\n\r\n") == b"5\r\nabcde\r\n0\r\n\r\n"
    wire.send(ASK)  # the connection goes on
    assert b"200 OK" in wire.head()


def test_a_body_that_ends_with_its_connection_becomes_chunked(serve, route_to):
    app = serve(sending("HTTP/1.1 200 OK\r\nServer: s\r\n\r\nabc", then_close=True))
    wire = ask(route_to(app))
    assert b"Transfer-Encoding: chunked" in wire.head()
    assert wire.upto(b"0\r\n\r\n") == b"3\r\nabc\r\n0\r\n\r\n"


def test_http_1_0_gets_a_chunked_response_whole_and_closed(serve, route_to):
    app = serve(
        sending("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    )
    wire = ask(route_to(app), f"GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n")
    assert wire.rest().endswith(b"\r\n\r\nabc")


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_body_ends_after_its_head(serve, route_to, status):
    app = serve(sending(f"HTTP/1.1 {status} x\r\nContent-Length: 5\r\n\r\n"))
    wire = ask(route_to(app))
    assert wire.head().startswith(b"HTTP/1.1 %d" % status)
    wire.send(ASK)
    assert wire.head().startswith(b"HTTP/1.1 %d" % status)


def test_head_gets_the_length_and_no_body(serve, route_to):
    app = serve(sending("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
    wire = ask(route_to(app), ASK.replace("GET", "HEAD") * 2)
    for _ in range(2):
        assert b"Content-Length: 5\r\n" in wire.head()


def test_early_hints_pass_and_surplus_100s_do_not(serve, route_to):
    app = serve(
        sending(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        )
    )
    wire = ask(route_to(app))
    assert wire.head() == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    assert b" 200 OK" in wire.head()


@pytest.mark.parametrize(
    ("response", "code", "status"),
    [
        ("", "H13", 502),
        ("HTTP/1.1 200 OK\r\nContent-", "H13", 502),
        ("nonsense\r\n\r\n", "H17", 502),
        ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", "H17", 502),
        ("HTTP/1.1 999 x\r\n\r\n", "H17", 502),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "H17", 502),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "H17", 502),
        ("HTTP/1.1 200 OK\r\nA: " + "b" * 40000, "H17", 502),
    ],
)
def test_what_is_no_response_is_an_error_of_the_app(serve, route_to, response, code, status):
    app = serve(sending(response, then_close=True))
    router = route_to(app)
    got, head, body = ask(router).response()
    assert got == status
    assert f"Hythe-Error: {code}\r\n".encode() in head
    assert code.encode() in body
    until(lambda: f"at=error code={code} " in router.log())


def test_a_response_that_breaks_off_cuts_the_client_off(serve, route_to):
    app = serve(sending("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", then_close=True))
    router = route_to(app)
    wire = ask(router)
    assert b"200 OK" in wire.head()
    with pytest.raises((EOFError, ConnectionResetError)):
        wire.exactly(10)
    until(lambda: "code=H18" in router.log())


def test_a_chunked_response_that_breaks_off_is_never_ended_cleanly(serve, route_to):
    app = serve(
        sending(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", then_close=True
        )
    )
    assert not ask(route_to(app)).rest().endswith(b"0\r\n\r\n")


def test_no_instances_answer_the_route_s_code(start_router, tmp_path):
    write_table(tmp_path / "t", make_table(error="H80"))
    router = start_router(table=tmp_path / "t")
    status, head, body = get(router.port)
    assert status == 503
    assert b"Hythe-Error: H80" in head
    assert b"Maintenance" in body


def test_a_redirect_takes_reads_elsewhere_and_refuses_the_rest(start_router, tmp_path):
    route = Route("hythe", (HOST,), error="H32", redirect="https://hythe.example.com:7600")
    write_table(tmp_path / "t", RouteTable(1, 1, (route,)))
    router = start_router(table=tmp_path / "t")
    head = ask(router, f"GET /v1/apps?x=1 HTTP/1.1\r\nHost: {HOST}\r\n\r\n").head()
    assert head.startswith(b"HTTP/1.1 307 ")
    assert b"\r\nLocation: https://hythe.example.com:7600/v1/apps?x=1\r\n" in head
    push = f"POST /shop.git/git-receive-pack HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\n"
    wire = ask(router, f"{push}Authorization: Basic eDp5\r\n\r\n0000")
    head = wire.head()
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"\r\nHythe-Error: H32\r\n" in head
    assert b"Location" not in head


def test_a_refused_connection_is_h21(start_router, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    write_table(tmp_path / "t", make_table({"i1": port}))
    status, head, _ = get(start_router(table=tmp_path / "t").port)
    assert status == 502
    assert b"Hythe-Error: H21" in head


def test_an_app_that_never_accepts_is_h19(start_router, tmp_path):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        crowd = [socket.socket() for _ in range(4)]
        for sock in crowd:  # the queue is full, so the kernel drops what comes
            sock.setblocking(False)
            sock.connect_ex(address)
        write_table(tmp_path / "t", make_table({"i1": address[1]}))
        router = start_router(table=tmp_path / "t", timeouts=Timeouts(connect=0.2, tick=0.05))
        status, head, _ = get(router.port)
        for sock in crowd:
            sock.close()
    assert status == 503
    assert b"Hythe-Error: H19" in head


def test_a_silent_app_is_h12(serve, route_to):
    app = serve(lambda wire, head: wire.head())
    router = route_to(app, timeouts=Timeouts(first_byte=0.2, tick=0.05))
    status, head, _ = get(router.port)
    assert status == 504
    assert b"Hythe-Error: H12" in head


def test_an_app_that_stops_in_the_middle_is_h15(serve, route_to):
    def handle(wire, head):
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        wire.head()

    router = route_to(serve(handle), timeouts=Timeouts(rolling=0.2, tick=0.05))
    wire = ask(router)
    assert wire.rest().endswith(b"abc")
    until(lambda: "code=H15" in router.log())


def test_a_client_that_stops_in_the_middle_is_h28(serve, route_to):
    app = serve(lambda wire, head: wire.exactly(length_of(head)))
    router = route_to(app, timeouts=Timeouts(body_idle=0.2, tick=0.05))
    wire = ask(router, f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 10\r\n\r\nabc")
    status, head, _ = wire.response()
    assert status == 408
    assert b"Hythe-Error: H28" in head


def test_a_client_that_goes_away_is_h27_and_its_request_ends(serve, route_to):
    gone = []

    def handle(wire, head):
        gone.append(wire.head() == b"")

    router = route_to(serve(handle))
    wire = ask(router)
    until(lambda: router.log() == "" and len(gone) == 0)
    wire.close()
    until(lambda: "code=H27" in router.log())
    assert "status=499" in router.log()


def test_an_early_response_reaches_a_client_that_still_sends(serve, route_to):
    def refuse(wire, head):
        """Answer, and take in what still comes: to close at once would reset what was said."""
        wire.send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        wire.sock.shutdown(socket.SHUT_WR)
        wire.rest()
        raise EOFError

    app = serve(refuse)
    wire = ask(route_to(app), f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 600000\r\n\r\n")
    wire.send("x" * 300000)
    status, head, body = wire.response()
    assert (status, body) == (413, b"no")
    assert b"Connection: close" in head


def test_bytes_after_a_response_are_not_taken_for_the_next(serve, route_to):
    evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    app = serve(sending("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + evil))
    wire = ask(route_to(app))
    assert wire.response()[2] == b"ok"
    wire.send(ASK)
    assert wire.response()[2] == b"ok"
    assert app.connections == 2


def test_log_lines_have_the_documented_shape(serve, route_to):
    router = route_to(serve(answering("hello")))
    get(router.port, "/a?b=c")
    line = until(router.log)
    before, _, after = line.partition("request_id=")
    assert before == f'at=info method=GET path="/a?b=c" host={HOST} '
    names = [part.split("=")[0] for part in after.split()[1:]]
    assert names == [
        "fwd",
        "instance",
        "release",
        "connect",
        "service",
        "status",
        "bytes",
        "protocol",
    ]
    assert " instance=web.1 release=v1 " in after
    assert " status=200 bytes=5 protocol=http\n" in after


def test_a_client_that_closed_its_half_is_still_answered(serve, route_to):
    wire = ask(route_to(serve(answering("hello"))))
    wire.sock.shutdown(socket.SHUT_WR)
    assert wire.rest().endswith(b"\r\n\r\nhello")


def test_half_a_body_is_no_request(serve, route_to):
    bodies = []

    def handle(wire, head):
        bodies.append(wire.rest())

    router = route_to(serve(handle))
    wire = ask(router, f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 9\r\n\r\nabc")
    until(lambda: router.log() == "")
    wire.sock.shutdown(socket.SHUT_WR)
    assert wire.rest() == b""
    until(lambda: "code=H27" in router.log())


def test_a_closed_half_is_waited_for_only_so_long(serve, route_to):
    app = serve(lambda wire, head: wire.rest())
    router = route_to(app, timeouts=Timeouts(half_closed=0.2, tick=0.05))
    wire = ask(router)
    wire.sock.shutdown(socket.SHUT_WR)
    assert wire.rest() == b""
    until(lambda: "code=H27" in router.log())


def test_a_head_that_an_app_repeats_means_what_it_meant(serve, route_to):
    """Whole, apart from its body, to HEAD, and with bytes behind that nobody asked for."""
    date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    whole = f"HTTP/1.1 200 OK\r\n{date}Content-Length: 5\r\n\r\n"

    def handle(wire, head):
        path = head.split()[1]
        if path == b"/apart":
            wire.send(whole + "he")
            time.sleep(0.05)
            wire.send("llo")
        elif path == b"/other":
            wire.send(whole.replace("5", "2") + "hi")
        else:
            wire.send(whole + {b"/head": "", b"/more": "hello!"}.get(path, "hello"))

    app = serve(handle)
    wire = Wire.dial(route_to(app).port)
    for _ in range(3):
        for path, body in (("/", b"hello"), ("/apart", b"hello"), ("/other", b"hi")):
            wire.send(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
            assert wire.response()[0::2] == (200, body)
        wire.send(f"HEAD /head HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
        assert b"Content-Length: 5" in wire.head()
    assert app.connections == 1
    for number in (1, 2):
        wire.send(f"GET /more HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
        assert wire.response()[2] == b"hello"
        assert app.connections == number
