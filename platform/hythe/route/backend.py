"""A connection to a target: reads responses, one at a time, for the exchange that holds it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from hythe.route.body import BadBody, Body, ChunkedBody, EndlessBody, LengthBody
from hythe.route.headers import BARE_LF, BadHead
from hythe.route.response import ResponseHead

if TYPE_CHECKING:
    from hythe.route.exchange import Exchange
    from hythe.route.proxy import Proxy


_NO_HEAD = ResponseHead(502, b"", b"", raw=b"\n")  # begins like no response


class Backend(asyncio.Protocol):
    __slots__ = (
        "_body",
        "_buffer",
        "_exchange",
        "_known",
        "_paused",
        "_proxy",
        "_reusable",
        "closing",
        "idle_since",
        "received",
        "reused",
        "transport",
    )

    transport: asyncio.Transport

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._exchange: Exchange | None = None
        self._known = _NO_HEAD  # that of the last response: apps repeat theirs
        self._buffer = b""  # the begin of a head
        self._body: Body | None = None
        self._reusable = False
        self._paused = False
        self.received = False  # a byte of the current response has arrived
        self.reused = False
        self.closing = False
        self.idle_since = 0.0

    def attach(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.received = False

    def release(self) -> bool:
        """The response is whole: let go of the exchange; true when another may be served."""
        self._exchange = None
        self._body = None
        if not self._reusable or self.closing:
            return False
        if self._paused:
            self.resume()
        self.reused = True
        self.idle_since = self._proxy.now
        return True

    def finish(self) -> None:
        """Close after what is still to be sent."""
        self._exchange = None
        if not self.closing:
            self.closing = True
            self.transport.close()

    def close(self) -> None:
        """Close at once: nothing that is unsent is of use to anyone."""
        self._exchange = None
        if not self.closing:
            self.closing = True
            self.transport.abort()

    def pause(self) -> None:
        if not self._paused and not self.transport.is_closing():
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            self.close()  # bytes that nobody asked for
            return
        if exchange.tunnel is not None:
            exchange.tunnel.from_server(data)
            return
        if not self.received:
            self.received = True
            known = self._known
            if data.startswith(known.raw):
                self._begin(exchange, known, data[known.size :])
                return
        exchange.client.deadline = self._proxy.horizon + exchange.rules.idle
        try:
            if self._body is None:
                self._read_head(exchange, data)
            else:
                self._read_body(exchange, self._body, data)
        except (BadHead, BadBody) as error:
            exchange.fail("H17", str(error))

    def eof_received(self) -> None:
        exchange = self._exchange
        if exchange is not None and isinstance(self._body, EndlessBody):
            exchange.response_ended()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = True
        if self._exchange is not None:
            self._exchange.backend_lost()

    def pause_writing(self) -> None:
        if self._exchange is not None:
            self._exchange.backend_blocked()

    def resume_writing(self) -> None:
        if self._exchange is not None:
            self._exchange.backend_flows()

    # Responses

    def _read_head(self, exchange: Exchange, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        while True:
            end = buffer.find(b"\r\n\r\n") + 4
            if end < 4 or end > self._proxy.limits.head:
                self._buffer = buffer
                self._check_beginning(buffer)
                return
            begin, buffer = buffer[:end], buffer[end:]
            parse = self._proxy.parse_response
            head = parse.heads.young.get(begin) or parse(begin)
            if head.status >= 200:
                break
            if exchange.interim(head):
                if buffer and exchange.tunnel is not None:
                    exchange.tunnel.from_server(buffer)
                return
        self._buffer = b""
        if head.plain:
            self._known = head
        self._begin(exchange, head, buffer)

    def _begin(self, exchange: Exchange, head: ResponseHead, data: bytes) -> None:
        """A final head has arrived, and `data` behind it."""
        self._reusable = head.keep_alive
        if head.length == len(data) and exchange.head.method != b"HEAD" and head.plain:
            exchange.respond_whole(head, data)  # as most do
            return
        exchange.client.deadline = self._proxy.horizon + exchange.rules.idle
        exchange.respond(head)
        body = self._body_of(head, exchange)
        if body is None:
            self._reusable = head.keep_alive and not data
            exchange.response_ended()
            return
        self._body = body
        self._read_body(exchange, body, data)  # without data too: the head must not wait for it

    def _check_beginning(self, buffer: bytes) -> None:
        if len(buffer) > self._proxy.limits.head:
            raise BadHead(502, "The response's head is too long")
        if BARE_LF.search(buffer):
            raise BadHead(502, "A bare LF in the response's head")

    def _body_of(self, head: ResponseHead, exchange: Exchange) -> Body | None:
        if head.bodiless(exchange.head.method):
            return None
        if head.chunked:
            return ChunkedBody()
        if head.length is None:
            self._reusable = False
            return EndlessBody()
        return LengthBody(head.length) if head.length else None

    def _read_body(self, exchange: Exchange, body: Body, data: bytes) -> None:
        payload, rest = body.feed(data)
        exchange.response_body(payload)
        if body.done:
            self._reusable = self._reusable and not rest
            exchange.response_ended()
