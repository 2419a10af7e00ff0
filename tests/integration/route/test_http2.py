"""HTTP/2: requests translated to HTTP/1.1, under the same rules, and floods that are cut."""

import threading
import time

import pytest
from h2.errors import ErrorCodes
from hyperframe.frame import (
    ContinuationFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
)
from integration.route.h2client import Http2Wire
from integration.route.pki import make_certificate
from integration.route.rig import HOST, answering, length_of, make_table, until, write_table

from hythe.route.options import Timeouts

MEGABYTE = 1024 * 1024


@pytest.fixture
def dial(serve, start_router, tmp_path):
    """Connections to a router before an app that is handled like this."""
    wires = []

    def make(handle=None, **given):
        app = serve(handle or answering())
        write_table(tmp_path / "table.json", make_table({"i1": app.port}))
        (tmp_path / "default.pem").write_text(CERTIFICATE.key + CERTIFICATE.chain)
        router = start_router(
            table=tmp_path / "table.json",
            tls_port=0,
            certificate=tmp_path / "default.pem",
            **given,
        )
        wire = Http2Wire(router.event("listening")["tls"])
        wire.app, wire.router = app, router
        wires.append(wire)
        return wire

    yield make
    for wire in wires:
        wire.wire.close()


CERTIFICATE = make_certificate(HOST)


def test_a_request_reaches_the_app_as_http_1_1(dial):
    wire = dial()
    stream = wire.ask(
        "/a?b",
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("x-forwarded-for", "6.6.6.6"),
        ("te", "trailers"),
    )
    answer = wire.answer(stream)
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.headers["content-length"] == "2"
    assert "date" in answer.headers
    lines = wire.app.requests[0].decode().split("\r\n")
    assert lines[0] == "GET /a?b HTTP/1.1"
    assert f"Host: {HOST}" in lines
    assert "cookie: a=1; b=2" in lines
    assert "X-Forwarded-For: 127.0.0.1" in lines
    assert "X-Forwarded-Proto: https" in lines
    assert not any(line.lower().startswith(("te:", "connection:", "transfer-")) for line in lines)


def test_streams_are_answered_independently(dial):
    slow = threading.Event()

    def handle(wire, head):
        if b"/slow" in head:
            slow.wait(10)
        answering(head.split()[1].decode())(wire, head)

    wire = dial(handle)
    first = wire.ask("/slow")
    others = [wire.ask(f"/{n}") for n in range(20)]
    assert [wire.answer(s).body for s in others] == [b"/%d" % n for n in range(20)]
    slow.set()
    assert wire.answer(first).body == b"/slow"


def test_a_body_without_length_is_sent_on_in_chunks(dial):
    bodies = []

    def handle(wire, head):
        assert b"transfer-encoding: chunked" in head.lower()
        bodies.append(wire.upto(b"0\r\n\r\n"))
        answering()(wire, b"")

    wire = dial(handle)
    assert wire.answer(wire.ask("/", body=b"hello", method="POST")).status == 200
    assert b"".join(bodies[0].split(b"\r\n")[1::2]) == b"hello"


def test_large_bodies_pass_both_ways(dial):
    size = 3 * MEGABYTE

    def handle(wire, head):
        left = length_of(head)
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while left:
            part = wire.exactly(min(left, 50_000))
            wire.send(b"%x\r\n%s\r\n" % (len(part), part))
            left -= len(part)
        wire.send("0\r\n\r\n")

    wire = dial(handle)
    stream = wire.h2.get_next_available_stream_id()
    wire.h2.send_headers(
        stream,
        [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", "/"),
            ("content-length", str(size)),
        ],
    )
    body = bytes(range(256)) * (size // 256)
    sent = 0
    while sent < size:
        room = min(wire.h2.local_flow_control_window(stream), wire.h2.max_outbound_frame_size)
        if room:
            part = body[sent : sent + room]
            sent += len(part)
            wire.h2.send_data(stream, part, end_stream=sent == size)
            wire.flush()
        else:
            wire.turn()
    assert wire.answer(stream).body == body


def test_a_reader_without_window_stops_the_app(dial):
    sent = [0]

    def handle(wire, head):
        wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {30 * MEGABYTE}\r\n\r\n")
        for _ in range(30):
            wire.send(b"x" * MEGABYTE)
            sent[0] += 1

    wire = dial(handle)
    wire.acknowledges = False
    stream = wire.ask()
    while len(wire.answers[stream].body) < 65535:
        wire.turn()
    last = -1
    while sent[0] != last:
        last = sent[0]
        time.sleep(0.3)
    assert sent[0] < 20
    other = wire.ask("/", authority="nobody.localhost")
    assert wire.h2.outbound_flow_control_window  # the connection lives
    wire.h2.acknowledge_received_data(65535, stream)
    wire.acknowledges = True
    wire.flush()
    assert wire.answer(other).status == 421
    assert len(wire.answer(stream).body) == 30 * MEGABYTE


def test_head_and_statuses_without_a_body(dial):
    def handle(wire, head):
        status = 204 if b"/204" in head else 200
        wire.send(f"HTTP/1.1 {status} x\r\nContent-Length: 5\r\n\r\n")

    wire = dial(handle)
    answer = wire.answer(wire.ask(method="HEAD"))
    assert (answer.headers["content-length"], answer.body) == ("5", b"")
    assert "content-length" not in wire.answer(wire.ask("/204")).headers


def test_early_hints_and_continue(dial):
    def handle(wire, head):
        wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        answering()(wire, head)

    wire = dial(handle)
    stream = wire.ask(
        "/", ("expect", "100-continue"), ("content-length", "2"), body=b"", method="PUT"
    )
    while not wire.answers[stream].informational:
        wire.turn()
    wire.h2.send_data(stream, b"ab", end_stream=True)
    wire.flush()
    answer = wire.answer(stream)
    assert [i[":status"] for i in answer.informational] == ["100", "103"]
    assert answer.informational[1]["link"] == "</a>"
    assert answer.status == 200


@pytest.mark.parametrize(
    ("pseudo", "headers", "status"),
    [
        ({"scheme": "http"}, [], 400),
        ({"path": "/a b"}, [], 400),
        ({"path": "/#a"}, [], 400),
        ({"path": "https://x/"}, [], 400),
        ({"authority": "a@b"}, [], 400),
        ({"method": "TRACE"}, [], 405),
        ({}, [("a", "x" * 9000)], 431),
        ({}, [(f"a{n}", "b") for n in range(101)], 431),
        ({"authority": "other.localhost"}, [], 421),
    ],
)
def test_the_rules_of_http_1_hold(dial, pseudo, headers, status):
    wire = dial()
    answer = wire.answer(
        wire.ask("/" if "path" not in pseudo else pseudo.pop("path"), *headers, **pseudo)
    )
    assert answer.status == status
    assert wire.app.requests == []
    assert wire.answer(wire.ask()).status == 200  # the connection goes on


@pytest.mark.parametrize(
    "headers",
    [
        [("host", "other.localhost")],
        [("connection", "close")],
        [("transfer-encoding", "chunked")],
        [("A", "b")],
        [("a", "b\r\nc: d")],
    ],
)
def test_what_breaks_http_2_ends_the_connection_or_is_refused(dial, headers):
    opened = dial()
    wire = Http2Wire(opened.router.event("listening")["tls"], checks=False)
    stream = wire.ask("/", *headers)
    answer = wire.answer(stream)
    assert wire.goodbye == ErrorCodes.PROTOCOL_ERROR or wire.closed or answer.status == 400
    assert opened.app.requests == []


def test_an_app_that_breaks_off_resets_the_stream_only(dial):
    def handle(wire, head):
        if b"/bad" in head:
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            raise EOFError
        answering()(wire, head)

    wire = dial(handle)
    assert wire.answer(wire.ask("/bad")).reset == ErrorCodes.INTERNAL_ERROR
    assert wire.answer(wire.ask()).body == b"ok"


def test_a_reset_ends_the_request_at_the_app(dial):
    gone = threading.Event()

    def handle(wire, head):
        if wire.head() == b"":
            gone.set()

    wire = dial(handle)
    stream = wire.ask()
    until(lambda: wire.app.requests)
    wire.h2.reset_stream(stream)
    wire.flush()
    assert gone.wait(10)
    until(lambda: "code=H27" in wire.router.log())


def test_rapid_resets_end_the_connection(dial):
    wire = dial(lambda wire, head: wire.head())
    for _ in range(300):
        stream = wire.ask()
        try:
            wire.h2.reset_stream(stream, ErrorCodes.CANCEL)
            wire.flush()
        except OSError:
            break
    wire.wait_closed()
    assert wire.goodbye in (ErrorCodes.ENHANCE_YOUR_CALM, None)
    until(lambda: "too many control frames" in wire.router.log())


@pytest.mark.parametrize("kind", ["ping", "settings", "reset"])
def test_floods_of_control_frames_end_the_connection(dial, kind):
    wire = dial()
    frame = {
        "ping": PingFrame(0, opaque_data=b"12345678"),
        "settings": SettingsFrame(0, settings={3: 100}),
        "reset": RstStreamFrame(1, error_code=8),
    }[kind]
    if kind == "reset":
        wire.answer(wire.ask())
    try:
        wire.wire.sock.sendall(frame.serialize() * 100_000)
        wire.wait_closed()
    except OSError:
        pass
    until(lambda: "HTTP/2:" in wire.router.log())


def test_a_flood_of_continuations_ends_the_connection(dial):
    wire = dial()
    head = HeadersFrame(1, data=b"\x00\x01a\x7f\x80\x80\x10" + b"b" * 1000)
    more = ContinuationFrame(1, data=b"b" * 1000).serialize()
    try:
        wire.wire.sock.sendall(head.serialize() + more * 2000)
        wire.wait_closed()
    except OSError:
        pass
    until(lambda: "HTTP/2:" in wire.router.log())
    assert wire.app.requests == []


def test_too_many_streams_are_refused(dial):
    hold = threading.Event()

    def handle(wire, head):
        hold.wait(10)
        answering()(wire, head)

    wire = dial(handle)
    while wire.h2.remote_settings.max_concurrent_streams != 100:
        wire.turn()
    for _ in range(100):
        wire.ask()
    from hpack import Encoder

    extra = HeadersFrame(
        401,
        data=Encoder().encode(
            [(":method", "GET"), (":scheme", "https"), (":authority", HOST), (":path", "/")]
        ),
        flags=["END_HEADERS", "END_STREAM"],
    )
    wire.wire.sock.sendall(extra.serialize())
    wire.wait_closed()
    hold.set()


def test_draining_says_goodbye_and_finishes(dial):
    go = threading.Event()

    def handle(wire, head):
        go.wait(10)
        answering()(wire, head)

    wire = dial(handle)
    stream = wire.ask()
    until(lambda: wire.app.requests)
    wire.router.process.terminate()
    while wire.goodbye is None:
        wire.turn()
    assert wire.goodbye == ErrorCodes.NO_ERROR
    go.set()
    while b"ok" not in wire.answers[stream].body:
        wire.turn()
    wire.wait_closed()
    assert wire.router.process.wait(10) == 0


def test_an_idle_connection_is_closed(dial):
    wire = dial(timeouts=Timeouts(client_idle=0.2, tick=0.05))
    wire.wait_closed()


def test_a_websocket_over_http_2(dial):
    from hythe.route.response import accept_of

    def handle(wire, head):
        key = next(
            line.split(b": ")[1] for line in head.split(b"\r\n") if b"ebsocket-key" in line.lower()
        )
        wire.send(
            b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: %s\r\n\r\n" % accept_of(key)
        )
        wire.send(wire.exactly(7))
        wire.exactly(8)  # the close frame

    wire = dial(handle)
    while not wire.h2.remote_settings.enable_connect_protocol:
        wire.turn()
    stream = wire.ask(
        "/", ("sec-websocket-version", "13"), body=b"", method="CONNECT", protocol="websocket"
    )
    wire.h2.send_data(stream, b"\x81\x81maskx")
    wire.flush()
    while len(wire.answers[stream].body) < 7:
        wire.turn()
    answer = wire.answers[stream]
    assert answer.status == 200
    assert answer.headers["sec-websocket-protocol"] == "chat"
    assert answer.body == b"\x81\x81maskx"
    wire.router.process.terminate()
    while len(answer.body) < 11:
        wire.turn()
    assert answer.body[7:] == b"\x88\x02\x03\xe9"
