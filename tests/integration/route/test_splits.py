"""Framing does not depend on how bytes are cut: every cut, both directions, plain and by TLS."""

import socket
import time
from contextlib import suppress

import pytest
from integration.route.pki import dial_tls, make_certificate
from integration.route.rig import HOST, Wire, length_of, make_table, write_table

H = f"Host: {HOST}\r\n"
REQUESTS = (
    f"\r\nPOST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n"
    "3;ext=1\r\nabc\r\n0b\r\nhello world\r\n0\r\nX-Trailer: a\r\n\r\n"
    f"PUT /b HTTP/1.1\r\n{H}Content-Length: 003\r\n\r\nxyz"
    f"GET /c HTTP/1.1\r\n{H}Connection: close\r\n\r\n"
).encode()
SEEN = [b"/a abchello world", b"/b xyz", b"/c "]
RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: b\r\n\r\nhello",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2;a\r\nhe\r\n003\r\nllo\r\n0\r\nT: a\r\n\r\n",
]
BAD = [
    f"GET / HTTP/1.1\r\n{H}A : b\r\n\r\n",
    f"GET / HTTP/1.1\r\n{H}A: b\r\n c\r\n\r\n",
    f"GET / HTTP/1.1\n{H}\n",
    f"GET / HTTP/1.1\r\n{H}{H}\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    f"GET / HTTP/1.1\r\n{H}A: b\rc\r\n\r\n",
    f"POST / HTTP/1.1\r\n{H}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    f"POST / HTTP/1.1\r\n{H}Content-Length: -1\r\n\r\n",
    f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n1\nab",
    f"POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    f"POST / HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    f"POST / HTTP/1.1\r\n{H}Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 1\r\n\r\na",
]


def echo(wire: Wire, head: bytes) -> None:
    """Answer with the path and the body, as the app saw them."""
    body = b""
    if b"transfer-encoding: chunked" in head.lower():
        while size := int(wire.upto(b"\r\n"), 16):
            body += wire.exactly(size + 2)[:-2]
        assert wire.upto(b"\r\n") == b"\r\n"
    else:
        body = wire.exactly(length_of(head))
    seen = head.split()[1] + b" " + body
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(seen), seen))


@pytest.fixture(params=["plain", "tls"])
def dial(request, start_router, tmp_path):
    """dial(server) gives a function that opens connections to a router before it."""

    def start(server):
        certificate = make_certificate(HOST)
        (tmp_path / "default.pem").write_text(certificate.key + certificate.chain)
        write_table(tmp_path / "table.json", make_table({"i1": server.port}))
        router = start_router(
            table=tmp_path / "table.json", tls_port=0, certificate=tmp_path / "default.pem"
        )
        port = router.event("listening")["tls"]
        return lambda: Wire.dial(router.port) if request.param == "plain" else dial_tls(port, HOST)

    return start


def send_apart(wire: Wire, *parts: bytes) -> None:
    """Each part in a packet of its own, that is most likely read on its own."""
    wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for part in parts:
        wire.send(part)
        time.sleep(0.001)


def test_requests_cut_anywhere_mean_the_same(serve, dial):
    open_one = dial(serve(echo))
    for cut in range(1, len(REQUESTS)):
        wire = open_one()
        send_apart(wire, REQUESTS[:cut], REQUESTS[cut:])
        assert [wire.response()[2] for _ in SEEN] == SEEN, cut
        wire.close()


def test_requests_that_come_byte_by_byte_mean_the_same(serve, dial):
    wire = dial(serve(echo))()
    send_apart(wire, *(bytes([byte]) for byte in REQUESTS))
    assert [wire.response()[2] for _ in SEEN] == SEEN


@pytest.mark.parametrize("response", RESPONSES)
def test_responses_cut_anywhere_mean_the_same(serve, dial, response):
    def handle(wire, head):
        cut = int(head.split()[1][1:])
        send_apart(wire, response[:cut], response[cut:])

    wire = dial(serve(handle))()
    for cut in range(1, len(response)):
        wire.send(f"GET /{cut} HTTP/1.1\r\n{H}\r\n")
        head = wire.head()
        assert b"200 OK" in head, cut
        if b"hunked" in head:
            body = b""
            while size := int(wire.upto(b"\r\n"), 16):
                body += wire.exactly(size + 2)[:-2]
            wire.upto(b"\r\n")
        else:
            body = wire.exactly(length_of(head))
        assert body == b"hello", cut


def test_what_is_refused_whole_is_refused_byte_by_byte(serve, dial):
    app = serve(lambda wire, head: wire.rest())
    open_one = dial(app)
    for text in BAD:
        wire = open_one()
        with suppress(OSError):  # it may be refused before its end
            send_apart(wire, *(bytes([byte]) for byte in text.encode()))
        assert wire.head().split()[1] in (b"400", b"501"), text
        wire.close()
    assert not any(request.startswith(b"GET") for request in app.requests)
