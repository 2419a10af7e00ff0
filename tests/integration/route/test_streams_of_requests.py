"""Random streams of requests, cut at random: the app sees what a reference says, or a refusal.

The reference is h11, which has nothing in common with the router's parser.
"""

import socket

import h11
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from integration.route.rig import HOST, Wire

_PATHS = st.text("abc/%20?=&;:@", max_size=8).map(lambda text: "/" + text)
_NAMES = st.sampled_from(["A", "b-c", "Cookie", "cookie", "X_Y", "Accept", "X-Forwarded-For"])
_VALUES = st.text('ab ,;=\t"\x80\xff', max_size=10)
_SPOILT = st.sampled_from(
    [
        "Content-Length: 1\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Host: x\r\n",
        "A : b\r\n",
        " a\r\n",
        "A: \x00\r\n",
    ]
)
_BODIES = st.binary(max_size=40)


@st.composite
def _request(draw):
    """(bytes, whether something was done to spoil it)"""
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE"]))
    lines = "".join(
        f"{name}: {value}\r\n"
        for name, value in draw(st.lists(st.tuples(_NAMES, _VALUES), max_size=4))
    )
    body = draw(_BODIES)
    framing, sent = draw(st.sampled_from(["none", "length", "chunks"])), b""
    if framing == "length":
        lines += f"Content-Length: {len(body)}\r\n"
        sent = body
    elif framing == "chunks":
        lines += "transfer-encoding: Chunked\r\n"
        at = draw(st.integers(0, len(body)))
        sent = (
            b"".join(b"%x;a\r\n%s\r\n" % (len(p), p) for p in (body[:at], body[at:]) if p)
            + b"0\r\n\r\n"
        )
    spoilt = draw(st.booleans()) and draw(st.booleans())
    if spoilt:
        lines += draw(_SPOILT)
    head = f"{method} {draw(_PATHS)} HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n"
    return head.encode("latin-1") + sent


def _reference(stream: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """(method, target, body) of the requests that h11 reads before an error."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(stream)
    found = []
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return found
        if event is h11.NEED_DATA or event is h11.PAUSED:
            return found
        if isinstance(event, h11.Request):
            request, body = event, b""
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            found.append((request.method, request.target, body))
            connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is h11.MUST_CLOSE:
                return found
            connection.start_next_cycle()


class _App:
    """Takes in whole requests with h11, and notes them."""

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, bytes, bytes]] = []

    def __call__(self, wire: Wire, head: bytes) -> None:
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(head)
        body = b""
        while True:
            try:
                event = connection.next_event()
            except h11.RemoteProtocolError:
                raise EOFError from None
            if event is h11.NEED_DATA:
                connection.receive_data(wire.some())
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                raise EOFError  # the router cut it off: a request that is not whole does not count
        self.seen.append((request.method, request.target, body))
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        raise EOFError


@pytest.fixture
def app():
    return _App()


@pytest.fixture
def router(serve, route_to, app):
    return route_to(serve(app))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_app_sees_what_the_reference_reads_or_nothing(app, router, data):
    requests = data.draw(st.lists(_request(), min_size=1, max_size=4))
    stream = b"".join(requests)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    app.seen.clear()
    wire = Wire.dial(router.port)
    wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            wire.send(stream[begin:end])
        wire.sock.shutdown(socket.SHUT_WR)
        answers = wire.rest()
    except OSError:
        answers = b""
    wire.close()
    expected = _reference(stream)
    assert app.seen == expected[: len(app.seen)]
    if len(app.seen) < len(expected):  # the router is stricter: it said so, and read no further
        assert answers.count(b"HTTP/1.1 4") + answers.count(b"HTTP/1.1 5") == 1
