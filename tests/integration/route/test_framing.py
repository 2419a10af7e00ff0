"""Requests, byte by byte: what is refused, and what an app is sent in place of what came."""

import threading

import pytest
from integration.route.rig import HOST, PATIENCE, Wire, answering, get, length_of

H = f"Host: {HOST}\r\n"


@pytest.fixture
def app(serve):
    return serve(answering())


@pytest.fixture
def router(app, route_to):
    return route_to(app)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (f"GET / HTTP/2.0\r\n{H}\r\n", 505),
        ("GET /\r\n\r\n", 400),
        (f"CONNECT a:1 HTTP/1.1\r\n{H}\r\n", 405),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        (f"GET / HTTP/1.1\r\n{H}{H}\r\n", 400),
        (f"GET / HTTP/1.1\n{H}\r\n", 400),
        (f"GET / HTTP/1.1\r\nHost: {HOST}\n\n", 400),
        (f"GET / HTTP/1.1\r\n{H} folded\r\n\r\n", 400),
        (f"GET / HTTP/1.1\r\n{H}A : b\r\n\r\n", 400),
        (f"GET http://other/ HTTP/1.1\r\n{H}\r\n", 400),
        ("\r\n\r\n\r\n" + f"GET / HTTP/1.1\r\n{H}\r\n", 400),
        (f"GET /{'a' * 9000} HTTP/1.1\r\n{H}\r\n", 414),
        (f"GET /{'a' * 40000}", 414),
        (f"GET / HTTP/1.1\r\n{H}A: {'b' * 9000}\r\n\r\n", 431),
        (f"GET / HTTP/1.1\r\n{H}" + "A: b\r\n" * 10000, 431),
        (f"POST / HTTP/1.1\r\n{H}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (f"POST / HTTP/1.1\r\n{H}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: xchunked\r\n\r\n", 501),
        (f"POST / HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n5;\nabcde\r\n", 400),
        (f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (f"POST / HTTP/1.1\r\n{H}Expect: nonsense\r\nContent-Length: 1\r\n\r\na", 417),
    ],
)
def test_a_bad_request_is_answered_and_ends_the_connection(app, router, sent, status):
    wire = Wire.dial(router.port)
    wire.send(sent)
    head = wire.head()
    assert int(head.split()[1]) == status
    assert f"Hythe-Error: http-{status}".encode() in head
    assert b"Connection: close" in head
    assert len(wire.rest()) == length_of(head)
    assert app.requests == []


def test_nothing_after_an_error_is_taken_for_a_request(app, router):
    wire = Wire.dial(router.port)
    wire.send(f"GET / HTTP/1.1\r\n{H}A : b\r\n\r\nGET /smuggled HTTP/1.1\r\n{H}\r\n")
    assert wire.rest().count(b"HTTP/1.1") == 1
    assert app.requests == []


def test_the_app_is_sent_a_new_head(app, router):
    wire = Wire.dial(router.port)
    wire.send(
        "GET http://APP.localhost./x?y HTTP/1.1\r\nHost: APP.localhost.\r\n"
        "Connection: X-Forwarded-For, X-Mine\r\nX-Mine: 1\r\nX-Forwarded-For: 6.6.6.6\r\n"
        "X_Forwarded_For: 6.6.6.6\r\nX-Request-Id: mine\r\nAccept:  */*  \r\n\r\n"
    )
    assert wire.response()[0] == 200
    head = app.requests[0].decode()
    lines = head.split("\r\n")
    assert lines[0] == "GET /x?y HTTP/1.1"
    assert "Host: app.localhost" in lines
    assert "Accept: */*" in lines
    assert "X-Forwarded-For: 127.0.0.1" in lines
    assert "X-Forwarded-Proto: http" in lines
    assert "X-Forwarded-Host: app.localhost" in lines
    assert "X-Forwarded-Port: 80" in lines
    assert "Via: 1.1 hythe" in lines
    assert "6.6.6.6" not in head
    assert "mine" not in head.lower().replace("x-request-id", "")
    assert "X-Request-Start: t=" in head
    assert "onnection:" not in head


def test_a_trusted_peer_is_believed(app, route_to):
    router = route_to(app, trusted=("127.0.0.0/8",))
    lines = ("X-Forwarded-For: 9.9.9.9", "X-Request-Id: kept-1", "X-Forwarded-Proto: https")
    get(router.port, "/", *lines)
    head = app.requests[0].decode()
    assert "X-Forwarded-For: 9.9.9.9, 127.0.0.1\r\n" in head
    assert "X-Request-Id: kept-1\r\n" in head
    assert "X-Forwarded-Proto: https\r\nX-Forwarded-Host: app.localhost\r\n" in head
    assert "X-Forwarded-Port: 443\r\n" in head


def test_a_chunked_body_is_chunked_anew(serve, route_to):
    bodies = []

    def handle(wire, head):
        bodies.append(wire.upto(b"0\r\n\r\n"))
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    app = serve(handle)
    wire = Wire.dial(route_to(app).port)
    wire.send(f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n")
    wire.send('0003;ext="x"\r\nabc\r\n2\r\nde\r\n000\r\nX-Trailer: dropped\r\n\r\n')
    assert wire.response()[0] == 200
    assert b"ext" not in bodies[0]
    assert b"railer" not in bodies[0]
    assert b"Transfer-Encoding: chunked\r\n" in app.requests[0]
    assert bodies[0].endswith(b"0\r\n\r\n")


def test_pipelined_requests_are_answered_in_order(serve, route_to):
    def handle(wire, head):
        path = head.split()[1].decode()
        wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(path)}\r\n\r\n{path}")

    wire = Wire.dial(route_to(serve(handle)).port)
    wire.send("".join(f"GET /{n} HTTP/1.1\r\n{H}\r\n" for n in range(300)))
    assert [wire.response()[2] for _ in range(300)] == [b"/%d" % n for n in range(300)]


def test_many_pipelined_errors_do_not_nest(router):
    wire = Wire.dial(router.port)
    wire.send("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n" * 1500)
    assert all(wire.response()[0] == 404 for _ in range(1500))


def test_expect_is_answered_with_exactly_one_100(serve, route_to):
    def handle(wire, head):
        assert b"xpect" not in head
        wire.send("HTTP/1.1 100 Continue\r\n\r\n")  # surplus
        body = wire.exactly(length_of(head))
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    wire = Wire.dial(route_to(serve(handle)).port)
    wire.send(f"POST / HTTP/1.1\r\n{H}Expect: 100-Continue\r\nContent-Length: 003\r\n\r\n")
    assert wire.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.send("abc")
    assert wire.response()[0::2] == (200, b"abc")


def test_http_1_0_without_keep_alive_is_closed(router):
    wire = Wire.dial(router.port)
    wire.send(f"GET / HTTP/1.0\r\n{H}\r\n")
    assert wire.rest().endswith(b"\r\n\r\nok")


def test_http_1_0_with_keep_alive_goes_on(router):
    wire = Wire.dial(router.port)
    for _ in range(2):
        wire.send(f"GET / HTTP/1.0\r\n{H}Connection: keep-alive\r\n\r\n")
        status, head, body = wire.response()
        assert (status, body) == (200, b"ok")
        assert b"Connection: keep-alive" in head


def test_a_head_that_comes_byte_by_byte_is_understood(router):
    wire = Wire.dial(router.port)
    for byte in f"\r\nGET / HTTP/1.1\r\n{H}\r\n".encode():
        wire.send(bytes([byte]))
    assert wire.response()[0] == 200


def test_a_body_over_the_limit_is_refused_whether_announced_or_not(app, route_to):
    from hythe.route.options import Limits

    router = route_to(app, limits=Limits(body=10))
    wire = Wire.dial(router.port)
    wire.send(f"POST / HTTP/1.1\r\n{H}Content-Length: 11\r\n\r\n{'x' * 11}")
    assert wire.response()[0] == 413
    wire = Wire.dial(router.port)
    wire.send(
        f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\nb\r\n{'x' * 11}\r\n0\r\n\r\n"
    )
    assert wire.response()[0] == 413
    assert app.requests == []


def test_unknown_hosts_get_a_page_that_says_so(router):
    status, head, body = get(router.port, host="nobody.localhost")
    assert status == 404
    assert b"Hythe-Error: unknown-host" in head
    assert b"No app answers at this address" in body
    status, head, body = get(router.port, "/", "Accept: application/json", host="nobody")
    assert b"application/json" in head
    assert b'"unknown-host"' in body


def test_a_client_that_never_finishes_its_head_is_told_so(serve, route_to):
    from hythe.route.options import Timeouts

    timeouts = Timeouts(request_head=0.3, tick=0.05)
    wire = Wire.dial(route_to(serve(answering()), timeouts=timeouts).port)
    wire.send("GET / HTTP/1.1\r\n")
    wire.sock.settimeout(PATIENCE)
    assert wire.response()[0] == 408


def test_a_block_that_comes_again_is_checked_with_its_new_line(app, router):
    block = f"Host: {HOST}\r\nA: b\r\n\r\n"
    body = f"Host: {HOST}\r\nContent-Length: 1\r\n\r\n"
    wire = Wire.dial(router.port)
    for _ in range(3):
        for text in (
            f"GET /one HTTP/1.1\r\n{block}",
            f"\r\nGET /two?x HTTP/1.1\r\n{block}",
            f"HEAD http://{HOST}/three HTTP/1.1\r\n{block}",
            f"OPTIONS * HTTP/1.1\r\n{block}",
            f"POST /four HTTP/1.1\r\n{body}",
        ):
            app.requests.clear()
            wire.send(text)
            if body in text:
                wire.send("x")
            status, head, _ = (200, wire.head(), b"") if "HEAD" in text else wire.response()
            assert (status, head.split()[1]) == (200, b"200")
            target = text.split()[1].removeprefix(f"http://{HOST}")
            assert app.requests[0].split()[1].decode() == target
    wire.send(f"GET /pipelined HTTP/1.1\r\n{block}GET /second HTTP/1.1\r\n{block}")
    assert [wire.response()[0] for _ in range(2)] == [200, 200]
    wire.send(f"GET /a|b HTTP/1.1\r\n{block}")
    assert wire.response()[0] == 400
    assert wire.rest() == b""


def test_a_client_that_asks_ahead_without_end_is_not_read_on(serve, route_to):
    go = threading.Event()

    def handle(wire, head):
        go.wait(15)
        answering()(wire, head)

    app = serve(handle)
    wire = Wire.dial(route_to(app).port)
    ask = f"GET / HTTP/1.1\r\n{H}A: {'b' * 8000}\r\n\r\n".encode()
    wire.sock.settimeout(1)
    sent = 0
    with pytest.raises(TimeoutError):
        while sent < 50_000_000:
            sent += wire.sock.send(ask[sent % len(ask) :])
    wire.sock.settimeout(15)
    go.set()
    for _ in range(sent // len(ask)):  # and what was taken is answered
        assert wire.response()[0] == 200
