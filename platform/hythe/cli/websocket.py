"""A WebSocket to the API, on a connection whose other side was checked already (trust.py)."""

import socket
import ssl
from collections.abc import Iterator, Mapping

from wsproto import ConnectionType, WSConnection, events
from wsproto.utilities import ProtocolError

BLOCK = 1 << 16


class WebSocket:
    """Messages there and back. `fileno` is readable when a message may have come."""

    def __init__(
        self,
        connection: socket.socket,
        host: str,
        path: str,
        headers: Mapping[str, str],
        subprotocol: str,
    ) -> None:
        """Shake hands. Raises OSError when the connection breaks.

        refusal: the HTTP status and body that came instead, or None.
        """
        self._socket = connection
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self.refusal: tuple[int, bytes] | None = None
        self.closed = False
        self._early: list[events.Event] = []
        self._text, self._bytes = "", bytearray()  # of a message that has not come whole
        port = connection.getpeername()[1]
        request = events.Request(
            host=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            target=path,
            extra_headers=[(key.encode(), value.encode()) for key, value in headers.items()],
            subprotocols=[subprotocol],
        )
        self._send(request)
        self._shake_hands()
        connection.settimeout(None)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, data: bytes | str) -> None:
        """Raises OSError when the connection is broken."""
        message = events.TextMessage(data) if isinstance(data, str) else events.BytesMessage(data)
        self._send(message)

    def receive(self) -> Iterator[bytes | str]:
        """What has come; waits for something. After the end `closed` is set."""
        early, self._early = self._early, []
        yield from self._read(early)
        if not early:
            self._feed()
            yield from self._read(self._events())
        while isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            self._feed()
            yield from self._read(self._events())

    @property
    def waiting(self) -> bool:
        """Whether something came with the handshake, so that `receive` need not wait."""
        return bool(self._early)

    def close(self) -> None:
        """Say good-bye, without waiting for the answer."""
        try:
            if not self.closed:
                self._send(events.CloseConnection(code=1000))
        except (OSError, ProtocolError):
            pass  # it has gone already
        self._socket.close()

    def _shake_hands(self) -> None:
        status, body = 0, b""
        while True:
            self._feed()
            found = list(self._events())
            for number, event in enumerate(found):
                if isinstance(event, events.AcceptConnection):
                    self._early = found[number + 1 :]
                    return
                if isinstance(event, events.RejectConnection):
                    status = event.status_code
                if isinstance(event, events.RejectData):
                    body += event.data
                    if event.body_finished:
                        self.refusal = (status, body)
                        return
            if self.closed:
                self.refusal = (status, body)
                return

    def _feed(self) -> None:
        data = self._socket.recv(BLOCK)
        if not data:
            self.closed = True
        try:
            self._protocol.receive_data(data or None)
        except ProtocolError:
            self.closed = True

    def _events(self) -> Iterator[events.Event]:
        try:
            yield from self._protocol.events()
        except ProtocolError:
            self.closed = True

    def _read(self, found: "Iterator[events.Event] | list[events.Event]") -> Iterator[bytes | str]:
        for event in found:
            if isinstance(event, events.TextMessage):
                self._text += event.data
                if event.message_finished:
                    text, self._text = self._text, ""
                    yield text
            elif isinstance(event, events.BytesMessage):
                self._bytes += event.data  # a message comes in pieces
                if event.message_finished:
                    data, self._bytes = bytes(self._bytes), bytearray()
                    yield data
            elif isinstance(event, events.Ping):
                self._send(event.response())
            elif isinstance(event, events.CloseConnection):
                self.closed = True

    def _send(self, event: events.Event) -> None:
        self._socket.sendall(self._protocol.send(event))
