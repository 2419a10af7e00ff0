"""A connection from a client: reads requests one after the other and hands them to exchanges."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, cast

from hythe.route import codes, logline, pages
from hythe.route.backend import BARE_LF
from hythe.route.body import BadBody, Body, ChunkedBody, LengthBody
from hythe.route.codes import Answer
from hythe.route.exchange import Exchange
from hythe.route.headers import BadHead
from hythe.route.request import RequestHead
from hythe.route.tunnel import Tunnel

if TYPE_CHECKING:
    from hythe.route.proxy import Proxy

_BODY = 1  # the target cannot take more of the body
_PIPELINE = 2  # enough of later requests is waiting
_LEADING_LINES = 2  # empty lines that may stand before a request


class Client(asyncio.Protocol):
    __slots__ = (
        "_advancing",
        "_body",
        "_buffer",
        "_discarded",
        "_exchange",
        "_leading",
        "_paused",
        "_proxy",
        "_tunnel",
        "_unflushed",
        "blocked",
        "deadline",
        "ended",
        "peer",
        "transport",
        "trusted",
    )

    transport: asyncio.Transport

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._buffer = b""  # what belongs to later requests, or to the head of the next
        self._body: Body | None = None  # of the current request, while some is missing
        self._exchange: Exchange | None = None
        self._tunnel: Tunnel | None = None
        self._paused = 0
        self._leading = 0
        self._advancing = False
        self._discarded = 0
        self._unflushed = 0
        self.blocked = False  # the client does not read
        self.ended = False  # nothing that comes in counts any more
        self.deadline = 0.0
        self.peer = ""
        self.trusted = False

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        name = transport.get_extra_info("peername")
        self.peer = name[0] if name else "unknown"
        self.trusted = self._proxy.trusts(self.peer)
        self._rest()
        if not self._proxy.admits(self):
            self._refuse(codes.of("H22"))

    def data_received(self, data: bytes) -> None:
        if self.ended:
            self._discard(len(data))
        elif self._tunnel is not None:
            self._tunnel.from_client(data)
        elif self._body is not None:
            self._read_body(self._body, data)
        elif self._exchange is not None:
            self._buffer += data
            if len(self._buffer) > self._proxy.limits.pipelined:
                self._pause(_PIPELINE)
        else:
            if not self._buffer:
                self.deadline = time.monotonic() + self._proxy.timeouts.request_head
            self._buffer += data
            self._advance()

    def eof_received(self) -> None:
        self._gone()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone()
        self._proxy.client_left(self)

    def _gone(self) -> None:
        self.ended = True
        self._body = None
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_lost()

    def pause_writing(self) -> None:
        self.blocked = True
        if self._exchange is not None:
            self._exchange.client_blocked()

    def resume_writing(self) -> None:
        self.blocked = False
        if self._exchange is not None:
            self._exchange.client_flows()
        else:
            self._advance()

    # Requests

    def _advance(self) -> None:
        """Begin the next request if its head is there. Never recursive, however many there are."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._buffer and not (self.ended or self._exchange or self.blocked):
                head = self._take_head()
                if head is None:
                    break
                self._begin(head)
        except BadHead as error:
            self._refuse(codes.bad_request(error.status, error.cause))
        finally:
            self._advancing = False

    def _take_head(self) -> RequestHead | None:
        buffer = self._buffer
        while buffer.startswith(b"\r\n"):
            self._leading += 1
            if self._leading > _LEADING_LINES:
                raise BadHead(400, "Empty lines before the request")
            self._buffer = buffer = buffer[2:]
        limits = self._proxy.limits
        end = buffer.find(b"\r\n\r\n") + 4
        if end >= 4 and end <= limits.head:
            head = self._proxy.parse_request(buffer[:end])
            self._buffer = buffer[end:]
            self._leading = 0
            return head
        line = buffer.find(b"\r\n")
        if (line if line >= 0 else len(buffer)) > limits.target + 64:
            raise BadHead(414, f"The URI is longer than {limits.target} bytes")
        if len(buffer) > limits.head:
            raise BadHead(431, f"The head is longer than {limits.head} bytes")
        if BARE_LF.search(buffer):
            raise BadHead(400, "A bare LF in the head")
        return None

    def _begin(self, head: RequestHead) -> None:
        exchange = self._exchange = Exchange(self._proxy, self, head)
        if head.has_body:
            length = head.fields.length
            self._body = ChunkedBody() if length is None else LengthBody(length)
            data, self._buffer = self._buffer, b""
            if data:
                self._read_body(self._body, data)
        if self._exchange is exchange:  # not refused over its body
            exchange.start()

    def _read_body(self, body: Body, data: bytes) -> None:
        exchange = self._exchange
        assert exchange is not None
        try:
            payload, rest = body.feed(data)
        except BadBody as error:
            exchange.refuse(400, f"Bad body: {error}")
            return
        if body.done:
            self._body = None
            self._buffer = rest
        exchange.request_body(payload, body.done)

    def upgraded(self, tunnel: Tunnel) -> None:
        """From here on bytes pass as they are; those that came too early follow now."""
        self._tunnel = tunnel
        data, self._buffer = self._buffer, b""
        self._resume(_PIPELINE)
        if data:
            tunnel.from_client(data)

    # What exchanges ask for

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    @property
    def holds_body(self) -> bool:
        return bool(self._paused & _BODY)

    def hold_body(self) -> None:
        self._pause(_BODY)

    def release_body(self) -> None:
        self._resume(_BODY)

    def done(self, keep_alive: bool) -> None:
        """The exchange is over and all of its answer is written."""
        self._exchange = None
        self._tunnel = None
        if self.ended:
            return
        if not keep_alive:
            self._end()
            return
        self._resume(_BODY | _PIPELINE)
        self._rest()
        if self._proxy.draining and not self._buffer:
            self._end()
        else:
            self._advance()

    def abort(self) -> None:
        """Cut the connection, so that nobody takes what was sent for the whole."""
        self._exchange = None
        self._tunnel = None
        self.ended = True
        self.transport.abort()

    def close_if_idle(self) -> None:
        if self._exchange is None and not self._buffer:
            self._end()

    # The end

    def _rest(self) -> None:
        timeouts = self._proxy.timeouts
        waits = timeouts.request_head if self._buffer else timeouts.client_idle
        self.deadline = time.monotonic() + waits

    def _refuse(self, answer: Answer) -> None:
        """The request cannot be read, so neither can any after it."""
        kind, content = pages.body(answer, wants_json=False)
        head = pages.head(answer, kind, len(content), self._proxy.date, close=True)
        self.transport.write(head + content)
        log = self._proxy.log
        log.write(logline.refused(answer, fwd=self.peer, size=len(content), as_json=log.as_json))
        self._end()

    def _end(self) -> None:
        """Close; when the client may still be sending, read on a little, or a reset would
        take the answer away from it."""
        if self.ended:
            return
        self.ended = True
        unread = self._body is not None or bool(self._buffer)
        self._body = None
        self._buffer = b""
        timeouts = self._proxy.timeouts
        self._unflushed = self.transport.get_write_buffer_size()
        if unread and self.transport.can_write_eof():
            self.deadline = time.monotonic() + timeouts.linger
            self._resume(_BODY | _PIPELINE)
            self.transport.write_eof()
        else:
            self.deadline = time.monotonic() + timeouts.rolling
            self.transport.close()

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > self._proxy.limits.linger:
            self.transport.abort()

    def expired(self) -> None:
        """The deadline has passed."""
        if self.ended:
            unflushed = self.transport.get_write_buffer_size()
            if unflushed and unflushed < self._unflushed:
                self._unflushed = unflushed  # it reads, if slowly
                self.deadline = time.monotonic() + self._proxy.timeouts.rolling
            else:
                self.transport.abort()
        elif self._exchange is not None:
            self._exchange.expired()
        elif self._buffer:
            self._refuse(codes.bad_request(408, "The request's head took too long"))
        else:
            self._end()

    def _pause(self, why: int) -> None:
        if not self._paused and not self.transport.is_closing():
            self.transport.pause_reading()
        self._paused |= why

    def _resume(self, why: int) -> None:
        if self._paused and not self._paused & ~why:
            self._paused = 0
            if not self.transport.is_closing():
                self.transport.resume_reading()
        else:
            self._paused &= ~why
