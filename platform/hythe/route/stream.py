"""A request of HTTP/2: one stream of a connection, and the Downstream of its exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

from h2.errors import ErrorCodes

from hythe.route.exchange import Exchange
from hythe.route.response import ResponseHead
from hythe.route.translate import Header, response_headers
from hythe.route.tunnel import Tunnel

if TYPE_CHECKING:
    from hythe.route.certificates import ServerSide
    from hythe.route.http2 import Http2Client


class Stream:
    __slots__ = (
        "_ended",
        "_head",
        "_held",
        "_pending",
        "_sent_end",
        "_unacked",
        "blocked",
        "connection",
        "deadline",
        "exchange",
        "id",
        "peer",
        "received_all",
        "scheme",
        "tls",
        "trusted",
        "tunnel",
    )

    def __init__(self, connection: Http2Client, identity: int) -> None:
        self.connection = connection
        self.id = identity
        self.peer = connection.peer
        self.trusted = connection.trusted
        self.scheme = b"https"
        self.tls: ServerSide | None = connection.tls
        self.deadline = 0.0
        self.blocked = False  # the client's window is full
        self.exchange: Exchange | None = None
        self.tunnel: Tunnel | None = None
        self.received_all = False
        self._head: list[Header] | None = None  # until the first of the body follows
        self._pending = bytearray()  # of the answer's body, for which there is no window yet
        self._ended = False  # nothing follows `pending`
        self._sent_end = False
        self._held = False
        self._unacked = 0  # bytes for which the client has not got its window back

    # What the connection passes on

    def data(self, data: bytes, size: int, ended: bool) -> None:
        """`size` is what the data took from the window."""
        if self._held:
            self._unacked += size
        else:
            self.connection.acknowledge(self.id, size)
        exchange = self.exchange
        if exchange is None or self.received_all:
            return
        self.received_all = ended
        if self.tunnel is None:
            if data or ended:
                exchange.request_body(data, ended)
            return
        if data:
            self.tunnel.from_client(data)
        if ended and self.exchange is not None:
            exchange.client_lost()

    def lost(self) -> None:
        """The client reset the stream, or the connection is gone."""
        self._ended = True
        self._pending.clear()
        exchange, self.exchange = self.exchange, None
        self.tunnel = None
        if exchange is not None:
            exchange.client_lost()

    def done_with_refusal(self) -> None:
        """There is no exchange: what was written is all."""
        self._ended = True
        self.done()

    def expired(self) -> None:
        if self.exchange is not None:
            self.exchange.expired()
        else:
            self.abort()

    # The Downstream

    @property
    def holds_body(self) -> bool:
        return self._held

    def hold_body(self) -> None:
        self._held = True

    def release_body(self) -> None:
        self._held = False
        size, self._unacked = self._unacked, 0
        self.connection.acknowledge(self.id, size)

    def early(self, head: ResponseHead) -> None:
        self.connection.send_headers(self.id, response_headers(head, b"", b""), ended=False)

    def respond(self, head: ResponseHead, added: bytes) -> None:
        self._head = response_headers(head, added, self.connection.date)

    def response_body(self, payload: bytes) -> None:
        self._send_head(ended=False)
        self.write(payload)

    def response_ended(self) -> None:
        if self._head is not None:
            self._send_head(ended=True)
        else:
            self._ended = True
            self.pump()

    def respond_whole(self, head: ResponseHead, added: bytes, payload: bytes) -> None:
        self.respond(head, added)
        self.response_body(payload)
        self.response_ended()

    def upgraded(self, head: ResponseHead, tunnel: Tunnel) -> None:
        self._head = response_headers(head, b"", self.connection.date)
        self._send_head(ended=False)
        self.tunnel = tunnel

    def write(self, data: bytes) -> None:
        self._pending += data
        self.pump()

    def done(self) -> None:
        if self.tunnel is not None:
            self.tunnel = None
            self._ended = True
        self.exchange = None
        self.pump()
        if not self.finished:
            self.deadline = self.connection.later_rolling()

    def abort(self) -> None:
        self.exchange = None
        self.tunnel = None
        self._ended = True
        self._pending.clear()
        self.connection.reset(self.id, ErrorCodes.INTERNAL_ERROR)

    # Sending

    @property
    def finished(self) -> bool:
        """The answer is over and sent."""
        return self._sent_end and self.exchange is None

    def _send_head(self, *, ended: bool) -> None:
        head, self._head = self._head, None
        if head is not None:
            self._ended = self._sent_end = ended
            self.connection.send_headers(self.id, head, ended=ended)

    def pump(self) -> None:
        """Send what the window allows; stop the app while some is left."""
        if self._head is None and not self._sent_end and (self._pending or self._ended):
            self._sent_end = self.connection.send_data(self.id, self._pending, self._ended)
        if self._pending and not self.blocked:
            self.blocked = True
            if self.exchange is not None:
                self.exchange.client_blocked()
        elif self.blocked and not self._pending:
            self.blocked = False
            if self.exchange is not None:
                self.exchange.client_flows()
        if self.finished:
            self.connection.finish(self)
