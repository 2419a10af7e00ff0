"""WebSockets by HTTP/1.1 and by HTTP/2: an idle one ends, and who does not read stops the other."""

import socket
import threading
import time

import pytest
from integration.route.h2client import Http2Wire
from integration.route.pki import make_certificate
from integration.route.rig import (
    HOST,
    PATIENCE,
    RouterProcess,
    Wire,
    make_table,
    until,
    write_table,
)
from integration.route.test_streams import BOUND, MEGABYTE, UPGRADE, memory

from hythe.route.options import Timeouts
from hythe.route.response import accept_of

FRAME = b"\x82\x7e\xff\xff" + bytes(65535)  # from the server
MASKED = b"\x82\xfe\xff\xff" + bytes(4 + 65535)  # from the client
MOST = 50 * MEGABYTE


def switch(wire: Wire, head: bytes) -> None:
    """The app's side of the handshake."""
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
    original = next(line for line in head.split(b"\r\n") if b"ebsocket-key" in line.lower())
    assert lines[b"upgrade"] == b"websocket"
    wire.send(
        b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: %s\r\n\r\n" % accept_of(original.split(b": ")[1])
    )


class Plain:
    """A client's end by HTTP/1.1."""

    def __init__(self, router: RouterProcess) -> None:
        self.wire = Wire.dial(router.port)
        self.wire.send(UPGRADE)
        assert b" 101 " in self.wire.head()

    def read(self, size: int) -> int:
        """Read at least so much, or to the end; gives how much."""
        got = 0
        while got < size and (data := self.wire.some()):
            got += len(data)
        return got

    def send_until_stopped(self, most: int) -> int:
        self.wire.sock.settimeout(1)
        sent = 0
        try:
            while sent < most:
                sent += self.wire.sock.send(MASKED)
        except TimeoutError:
            pass
        self.wire.sock.settimeout(PATIENCE)
        return sent

    def closed(self) -> bool:
        return self.wire.some() == b""


class Extended:
    """A client's end by HTTP/2, as RFC 8441 has it."""

    def __init__(self, router: RouterProcess) -> None:
        self.wire = Http2Wire(router.event("listening")["tls"])
        while not self.wire.h2.remote_settings.enable_connect_protocol:
            self.wire.turn()
        self.wire.acknowledges = False
        self.stream = self.wire.ask(
            "/", ("sec-websocket-version", "13"), body=b"", method="CONNECT", protocol="websocket"
        )
        while not self.answer.headers:
            self.wire.turn()
        assert self.answer.status == 200

    @property
    def answer(self):
        return self.wire.answers[self.stream]

    def read(self, size: int) -> int:
        got = 0
        while got < size:
            held = len(self.answer.body)
            self.answer.body.clear()
            if held:
                self.wire.h2.acknowledge_received_data(held, self.stream)
                self.wire.flush()
                got += held
            elif self.answer.over or self.wire.closed:
                break
            else:
                self.wire.turn()
        return got

    def send_until_stopped(self, most: int) -> int:
        h2, sent = self.wire.h2, 0
        self.wire.wire.sock.settimeout(1)
        try:
            while sent < most:
                room = h2.local_flow_control_window(self.stream)
                if not room:
                    self.wire.turn()  # a window, or nothing for a second
                    continue
                part = MASKED[: min(room, h2.max_outbound_frame_size)]
                h2.send_data(self.stream, part)
                self.wire.flush()
                sent += len(part)
        except TimeoutError:
            pass
        self.wire.wire.sock.settimeout(PATIENCE)
        return sent

    def closed(self) -> bool:
        while not (self.answer.over or self.wire.closed):
            self.wire.turn()
        return True


@pytest.fixture(params=[Plain, Extended], ids=["http1", "http2"])
def tunnel(request, serve, start_router, tmp_path):
    """tunnel(handle) gives (client, router) with an open WebSocket to an app."""

    def start(handle, **given):
        app = serve(handle)
        certificate = make_certificate(HOST)
        (tmp_path / "default.pem").write_text(certificate.key + certificate.chain)
        write_table(tmp_path / "table.json", make_table({"i1": app.port}))
        router = start_router(
            table=tmp_path / "table.json",
            tls_port=0,
            certificate=tmp_path / "default.pem",
            **given,
        )
        return request.param(router), router

    return start


def test_an_idle_websocket_ends_on_both_sides_and_a_busy_one_does_not(tunnel):
    ended = threading.Event()

    def handle(wire, head):
        switch(wire, head)
        for _ in range(10):  # longer than it may be idle
            time.sleep(0.1)
            wire.send(b"\x81\x01x")
        if wire.rest() == b"":
            ended.set()

    began = time.monotonic()
    client, router = tunnel(handle, timeouts=Timeouts(websocket_idle=0.5, tick=0.05))
    assert client.read(30) == 30
    assert client.closed()
    assert time.monotonic() - began > 1.4
    assert ended.wait(PATIENCE)
    until(lambda: "status=101 bytes=30 " in router.log())


def test_a_client_that_does_not_read_stops_the_app(tunnel):
    sent = [0]

    def handle(wire, head):
        switch(wire, head)
        while sent[0] < MOST:
            wire.send(FRAME)
            sent[0] += len(FRAME)

    client, router = tunnel(handle)
    last = -1
    while sent[0] != last:  # until nothing moves any more
        last = sent[0]
        time.sleep(0.5)
    assert sent[0] < MOST / 2
    assert memory(router) < BOUND
    assert client.read(2 * last) >= 2 * last  # it goes on as it is read
    assert memory(router) < BOUND


def test_an_app_that_does_not_read_stops_the_client(tunnel):
    go, read = threading.Event(), [0]

    def handle(wire, head):
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 * 1024)
        switch(wire, head)
        assert go.wait(PATIENCE)
        while data := wire.some():
            read[0] += len(data)

    client, router = tunnel(handle)
    sent = client.send_until_stopped(MOST)
    assert 0 < sent < MOST / 2
    assert memory(router) < BOUND
    go.set()
    until(lambda: read[0] == sent, "what was sent arrives")
