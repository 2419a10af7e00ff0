"""Streams: bodies without end, slow readers, WebSockets."""

import threading
from pathlib import Path

import pytest
from integration.route.rig import HOST, Wire, length_of, make_table, until, write_table
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import serve as serve_websocket

from hythe.route.response import accept_of

MEGABYTE = 1024 * 1024


BOUND = 60 * MEGABYTE  # a resting worker has about 25


def memory(router) -> int:
    """Resident bytes of the only worker."""
    rollup = Path(f"/proc/{router.workers()[0]}/smaps_rollup").read_text()
    return next(
        int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Rss:")
    )


def test_server_sent_events_pass_one_by_one(serve, route_to):
    go = threading.Semaphore(1)

    def handle(wire, head):
        wire.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for n in range(5):
            assert go.acquire(timeout=10)
            wire.send(f"data: {n}\n\n")
        raise EOFError

    wire = Wire.dial(route_to(serve(handle)).port)
    wire.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
    wire.head()
    for n in range(5):  # the app sends the next event only when this one has arrived
        assert f"data: {n}" in wire.upto(b"\n\n\r\n").decode()
        go.release()
    assert wire.upto(b"0\r\n\r\n") == b"0\r\n\r\n"


def test_a_slow_reader_stops_the_app_and_not_the_memory(serve, route_to):
    size = 200 * MEGABYTE
    sent = [0]

    def handle(wire, head):
        wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
        block = b"x" * MEGABYTE
        for _ in range(size // MEGABYTE):
            wire.send(block)
            sent[0] += MEGABYTE

    router = route_to(serve(handle))
    wire = Wire.dial(router.port)
    wire.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
    wire.head()
    last = -1
    while sent[0] != last:  # until nothing moves any more
        last = sent[0]
        threading.Event().wait(0.3)
    assert sent[0] < 50 * MEGABYTE
    assert memory(router) < BOUND
    left = size
    while left:
        left -= len(wire.exactly(min(left, MEGABYTE)))
    assert memory(router) < BOUND


def test_a_slow_app_stops_the_uploader_and_not_the_memory(serve, route_to):
    size = 100 * MEGABYTE
    read = threading.Event()
    received = []

    def handle(wire, head):
        assert read.wait(15)
        left = length_of(head)
        while left:
            left -= len(wire.exactly(min(left, MEGABYTE)))
        received.append(True)
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    router = route_to(serve(handle))
    wire = Wire.dial(router.port)
    wire.send(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {size}\r\n\r\n")
    sent = 0
    wire.sock.settimeout(1)
    with pytest.raises(TimeoutError):
        while True:
            sent += wire.sock.send(b"x" * MEGABYTE)
    assert sent < 50 * MEGABYTE
    assert memory(router) < BOUND
    read.set()
    wire.sock.settimeout(15)
    while sent < size:
        sent += wire.sock.send(b"x" * min(MEGABYTE, size - sent))
    assert wire.response()[0] == 200
    assert received


@pytest.fixture
def echo_port():
    """A real WebSocket server that echoes."""

    def echo(socket):
        for message in socket:
            socket.send(message)

    with serve_websocket(echo, "127.0.0.1", 0, max_size=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.socket.getsockname()[1]
        server.shutdown()


@pytest.fixture
def ws_router(start_router, tmp_path, echo_port):
    write_table(tmp_path / "table.json", make_table({"i1": echo_port}))
    return start_router(table=tmp_path / "table.json")


def open_websocket(router):
    return connect(
        f"ws://{HOST}:{router.port}/", sock=Wire.dial(router.port).sock, max_size=None, proxy=None
    )


def test_a_websocket_echoes_through_the_router(ws_router):
    with open_websocket(ws_router) as client:
        for message in ("hi", "x" * 200_000, b"\0" * 3_000_000, ""):
            client.send(message)
            assert client.recv(timeout=15) == message
    until(lambda: "status=101" in ws_router.log())


def test_a_websocket_is_sent_a_close_frame_when_its_target_leaves(ws_router, tmp_path):
    with open_websocket(ws_router) as client:
        client.send("hi")
        assert client.recv(timeout=15) == "hi"
        write_table(tmp_path / "table.json", make_table(sequence=2))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=15)
        assert closed.value.rcvd.code == 1001


def test_a_websocket_is_sent_a_close_frame_when_the_router_stops(ws_router):
    with open_websocket(ws_router) as client:
        client.send("hi")
        client.recv(timeout=15)
        ws_router.process.terminate()
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=15)
        assert closed.value.rcvd.code == 1001
    assert ws_router.process.wait(10) == 0


KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = (
    f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
)
SWITCH = "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"


def test_bytes_after_the_handshake_wait_for_a_verified_101(serve, route_to):
    early = []

    def handle(wire, head):
        wire.sock.settimeout(0.3)
        try:
            early.append(wire.sock.recv(10))
        except TimeoutError:
            early.append(b"")
        accept = accept_of(KEY.encode()).decode()
        wire.sock.settimeout(15)
        wire.send(f"{SWITCH}Sec-WebSocket-Accept: {accept}\r\n\r\n")
        wire.send(wire.exactly(7))

    wire = Wire.dial(route_to(serve(handle)).port)
    wire.send(UPGRADE)
    wire.send(b"\x81\x81maskx")
    assert b" 101 " in wire.head()
    assert wire.exactly(7) == b"\x81\x81maskx"
    assert early == [b""]


def test_a_101_with_a_wrong_key_is_h17(serve, route_to):
    def handle(wire, head):
        wire.send(f"{SWITCH}Sec-WebSocket-Accept: wrong\r\n\r\n")
        wire.head()

    wire = Wire.dial(route_to(serve(handle)).port)
    wire.send(UPGRADE)
    status, head, _ = wire.response()
    assert status == 502
    assert b"Hythe-Error: H17" in head


def test_a_refused_upgrade_stays_http(serve, route_to):
    def handle(wire, head):
        wire.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")

    wire = Wire.dial(route_to(serve(handle)).port)
    for _ in range(2):
        wire.send(UPGRADE)
        assert wire.response()[0::2] == (403, b"no")
