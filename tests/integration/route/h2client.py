"""A small client of HTTP/2 over TLS, for tests: as raw as h2 lets it be."""

import contextlib
import socket
import ssl
from collections import defaultdict

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from integration.route.pki import client_context, dial_tls
from integration.route.rig import HOST


class Answer:
    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.informational: list[dict[str, str]] = []
        self.body = bytearray()
        self.ended = False
        self.reset: int | None = None

    @property
    def status(self) -> int:
        return int(self.headers[":status"])

    @property
    def over(self) -> bool:
        return self.ended or self.reset is not None


class Http2Wire:
    """One connection. `acknowledges` gives windows back as data arrives."""

    def __init__(self, port: int, name: str = HOST, *, checks: bool = True) -> None:
        self.wire = dial_tls(port, name, client_context("h2", "http/1.1"))
        self.wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert self.wire.sock.selected_alpn_protocol() == "h2"
        self.h2 = H2Connection(
            H2Configuration(
                header_encoding="utf-8",
                validate_outbound_headers=checks,
                normalize_outbound_headers=checks,
            )
        )
        self.h2.initiate_connection()
        self.answers: dict[int, Answer] = defaultdict(Answer)
        self.goodbye: int | None = None
        self.closed = False
        self._frames = b""
        self.acknowledges = True
        self.flush()

    def flush(self) -> None:
        self.wire.sock.sendall(self.h2.data_to_send())

    def ask(
        self, path: str = "/", *headers: tuple[str, str], body: bytes | None = None, **pseudo: str
    ) -> int:
        """Begin a request; b"" as the body leaves it open. Gives the stream's number."""
        fields = {"method": "GET", "scheme": "https", "authority": HOST, "path": path, **pseudo}
        stream = self.h2.get_next_available_stream_id()
        named = [(f":{key}", value) for key, value in fields.items() if value]
        self.h2.send_headers(stream, [*named, *headers], end_stream=body is None)
        if body:
            self.h2.send_data(stream, body, end_stream=True)
        self.flush()
        return stream

    def turn(self) -> None:
        """Read once, and note what it means."""
        try:
            data = self.wire.sock.recv(65536)
        except (ConnectionError, ssl.SSLEOFError):  # the second: cut without a close_notify
            data = b""
        if not data:
            self.closed = True
            return
        for event in self.h2.receive_data(self._without_goodbye(data)):
            self._note(event, self.answers[getattr(event, "stream_id", 0) or 0])
        if not self.goodbye:
            with contextlib.suppress(OSError):  # it is gone: the next read says so
                self.flush()

    def _note(self, event: Event, answer: Answer) -> None:
        if isinstance(event, ResponseReceived):
            answer.headers = dict(event.headers)
        elif isinstance(event, InformationalResponseReceived):
            answer.informational.append(dict(event.headers))
        elif isinstance(event, DataReceived):
            answer.body += event.data
            if self.acknowledges:
                size = event.flow_controlled_length
                self.h2.acknowledge_received_data(size, event.stream_id)
        elif isinstance(event, StreamEnded):
            answer.ended = True
        elif isinstance(event, StreamReset):
            answer.reset = int(event.error_code)

    def _without_goodbye(self, data: bytes) -> bytes:
        """Whole frames but GOAWAY, after which h2 would hear no more."""
        self._frames += data
        whole = b""
        while len(self._frames) >= 9:
            size = 9 + int.from_bytes(self._frames[:3], "big")
            if len(self._frames) < size:
                break
            frame, self._frames = self._frames[:size], self._frames[size:]
            if frame[3] == 7:
                self.goodbye = int.from_bytes(frame[13:17], "big")
            else:
                whole += frame
        return whole

    def answer(self, stream: int) -> Answer:
        """Wait for a stream to end."""
        while not self.answers[stream].over and not self.closed:
            self.turn()
        return self.answers[stream]

    def wait_closed(self) -> None:
        while not self.closed:
            self.turn()

    def close(self) -> None:
        self.wire.sock.shutdown(socket.SHUT_RDWR)
        self.wire.close()
