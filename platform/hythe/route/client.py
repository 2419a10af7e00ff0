"""A connection from a client: reads requests one after the other and hands them to exchanges."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from hythe.route import codes, forward, logline, pages, request
from hythe.route.body import BadBody, Body, ChunkedBody, LengthBody
from hythe.route.codes import Answer
from hythe.route.exchange import Exchange
from hythe.route.headers import BadHead, Block
from hythe.route.lastblock import LastBlock
from hythe.route.reply import Reply
from hythe.route.request import RequestFields, RequestHead
from hythe.route.response import ResponseHead
from hythe.route.tunnel import Tunnel

if TYPE_CHECKING:
    from hythe.route.certificates import ServerSide
    from hythe.route.proxy import Proxy

_BODY = 1  # the target cannot take more of the body
_PIPELINE = 2  # enough of later requests is waiting
_LEADING_LINES = 2  # empty lines that may stand before a request


class Client(asyncio.Protocol):
    """HTTP/1. It is the Downstream of its exchanges, one at a time."""

    __slots__ = (
        "_advancing",
        "_body",
        "_buffer",
        "_discarded",
        "_eof",
        "_exchange",
        "_grace",
        "_last",
        "_leading",
        "_paused",
        "_proxy",
        "_reply",
        "_tunnel",
        "_unflushed",
        "blocked",
        "deadline",
        "ended",
        "peer",
        "scheme",
        "tls",
        "transport",
        "trusted",
    )

    transport: asyncio.Transport

    def __init__(self, proxy: Proxy, tls: ServerSide | None = None) -> None:
        self._proxy = proxy
        self.tls = tls
        self._buffer = b""  # what belongs to later requests, or to the head of the next
        self._body: Body | None = None  # of the current request, while some is missing
        self._exchange: Exchange | None = None
        self._tunnel: Tunnel | None = None
        self._last = LastBlock()
        self._eof = False  # the client sends no more, but may still read
        self._grace: asyncio.TimerHandle | None = None
        self._paused = 0
        self._leading = 0
        self._advancing = False
        self._discarded = 0
        self._unflushed = 0
        self.blocked = False  # the client does not read
        self.ended = False  # nothing that comes in counts any more
        self.deadline = 0.0
        self.peer = ""
        self.scheme = b"https" if tls is not None else b"http"
        self.trusted = False

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self._reply = Reply(self.transport)
        name = transport.get_extra_info("peername")
        self.peer = name[0] if name else "unknown"
        self.trusted = self._proxy.trusts(self.peer)
        self.deadline = self._proxy.later(self._proxy.timeouts.client_idle)
        if not self._proxy.enter(self, self.peer):
            self._refuse(codes.of("H22"))

    def data_received(self, data: bytes) -> None:
        if self._exchange is None and not self._buffer and not self.ended:
            line, _, block = data.partition(b"\r\n")
            last = self._last
            if block == last.raw and last.block is not None and not self.blocked:
                self._leading = 0
                self._begin_again(line, last.block)
            else:
                self._buffer = data
                self.deadline = self._proxy.later(self._proxy.timeouts.request_head)
                self._advance()
        elif self.ended:
            self._discard(len(data))
        elif self._tunnel is not None:
            self._tunnel.from_client(data)
        elif self._body is not None:
            self._read_body(self._body, data)
        else:
            self._buffer += data
            if self._exchange is None:
                self._advance()
            elif len(self._buffer) > self._proxy.limits.pipelined:
                self._pause(_PIPELINE)

    def eof_received(self) -> bool:
        """The client sends no more. Whether it went away or only closed its half cannot be told:
        a whole request is still answered, if its answer begins soon."""
        if self._exchange is None or self._body is not None or self._tunnel is not None:
            self._gone()
            return False
        self._eof = True
        if self._grace is None and not self._exchange.answered:
            self._grace = self._proxy.loop.call_later(
                self._proxy.timeouts.half_closed, self._grace_over
            )
        return True

    def _grace_over(self) -> None:
        if self._exchange is not None and not self._exchange.answered:
            self._gone()
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone()
        self._proxy.leave(self, self.peer)

    def _gone(self) -> None:
        self.ended = True
        self._body = None
        self._buffer = b""
        if self._grace is not None:
            self._grace.cancel()
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
        if self._eof and self._exchange is None:
            self._end()  # no more requests can come

    def _take_head(self) -> RequestHead | None:
        buffer = self._buffer
        while buffer[:1] == b"\r" and buffer[1:2] == b"\n":
            self._leading += 1
            if self._leading > _LEADING_LINES:
                raise BadHead(400, "Empty lines before the request")
            self._buffer = buffer = buffer[2:]
        limits = self._proxy.limits
        end = buffer.find(b"\r\n\r\n") + 4
        if 4 <= end <= limits.head:
            self._leading = 0
            self._buffer = buffer[end:]
            return self._proxy.parse_request(buffer[:end])
        request.check_beginning(buffer, limits)
        return None

    def _begin_again(self, line: bytes, block: Block[RequestFields]) -> None:
        """One request, nothing behind it, with the block of the one before."""
        try:
            head = self._proxy.parse_request.joined(line, block)
        except BadHead as error:
            self._refuse(codes.bad_request(error.status, error.cause))
        else:
            self._begin(head)

    def _begin(self, head: RequestHead) -> None:
        last, proxy = self._last, self._proxy
        if last.block is not head.block:
            last.note(head, self.peer, self.scheme, self.trusted, proxy.limits)
        exchange = self._exchange = Exchange(proxy, self, head, last.fwd, last.lines)
        if head.has_body:
            self._body = ChunkedBody() if head.length is None else LengthBody(head.length)
            data, self._buffer = self._buffer, b""
            if data:
                self._read_body(self._body, data)
            if self._exchange is not exchange:
                return  # refused over its body
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

    # What exchanges ask for

    def early(self, head: ResponseHead) -> None:
        self.transport.write(b"%s%s\r\n" % (head.line, head.passed))

    def respond(self, head: ResponseHead, added: bytes) -> None:
        exchange = self._exchange
        assert exchange is not None
        asked, proxy = exchange.head, self._proxy
        lasts = asked.keep_alive and exchange.sent_whole and not proxy.draining
        self._reply.begin(head, asked, keep_alive=lasts, date=proxy.date, added=added)

    def response_body(self, payload: bytes) -> None:
        self._reply.body(payload)

    def response_ended(self) -> None:
        self._reply.end()

    def respond_whole(self, head: ResponseHead, added: bytes, payload: bytes) -> None:
        exchange = self._exchange
        assert exchange is not None
        asked = exchange.head
        lasts = asked.keep_alive and asked.minor == 1 and exchange.sent_whole
        if lasts and head.plain and not added and not self._proxy.draining:
            self._reply.keep_alive = True
            self.transport.write(head.plain + payload)
            return
        self.respond(head, added)
        self._reply.body(payload)
        self._reply.end()

    def upgraded(self, head: ResponseHead, tunnel: Tunnel) -> None:
        """From here on bytes pass as they are; those that came too early follow now."""
        self.transport.write(
            b"%s%sConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n"
            % (head.line, head.passed, head.websocket_accept)
        )
        self._reply.keep_alive = False
        self._last.forget()
        self._tunnel = tunnel
        data, self._buffer = self._buffer, b""
        self._resume(_PIPELINE)
        if data:
            tunnel.from_client(data)

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    @property
    def holds_body(self) -> bool:
        return bool(self._paused & _BODY)

    def hold_body(self) -> None:
        self._pause(_BODY)

    def release_body(self) -> None:
        self._resume(_BODY)

    def done(self) -> None:
        exchange, self._exchange = self._exchange, None
        self._tunnel = None
        if self.ended:
            return
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        if not self._reply.keep_alive or exchange is None or not exchange.sent_whole:
            self._end()
            return
        if self._paused:
            self._resume(_BODY | _PIPELINE)
        proxy = self._proxy
        if self._buffer or self._eof:
            self.deadline = proxy.horizon + proxy.timeouts.request_head
            self._advance()
        elif proxy.draining:
            self._end()
        else:
            self.deadline = proxy.horizon + proxy.timeouts.client_idle

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

    def _refuse(self, answer: Answer) -> None:
        """The request cannot be read, so neither can any after it."""
        kind, content = pages.body(answer, wants_json=False)
        log = self._proxy.log
        head = pages.head(answer, kind, len(content))
        self.transport.write(forward.refusal(head, self._proxy.date) + content)
        line = logline.refused(
            answer, fwd=self.peer, size=len(content), scheme=self.scheme, as_json=log.as_json
        )
        log.write(line)
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
            self.deadline = self._proxy.later(timeouts.linger)
            self._resume(_BODY | _PIPELINE)
            self.transport.write_eof()
        else:
            self.deadline = self._proxy.later(timeouts.rolling)
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
                self.deadline = self._proxy.later(self._proxy.timeouts.rolling)
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
