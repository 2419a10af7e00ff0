"""A connection of HTTP/2: its frames are h2's business, its requests are those of HTTP/1.1.

Each stream becomes a request that the router's own parser checks, so the same rules hold for
both. What a connection may cost is bounded: streams, windows, header bytes (h2 and hpack see to
these), and frames that ask for work but bring no request (RFC 9113, section 10.5).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import H2Error, ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from hythe.route import codes, logline, pages
from hythe.route.exchange import Exchange
from hythe.route.headers import BadHead
from hythe.route.lastblock import LastBlock
from hythe.route.stream import Stream
from hythe.route.translate import Header, request_head, response_headers

if TYPE_CHECKING:
    from hythe.route.certificates import ServerSide
    from hythe.route.proxy import Proxy

_STREAMS = 100
_STREAM_WINDOW = 256 * 1024
_WINDOW = 1024 * 1024
_SETTLED = 10.0  # seconds after which what was done amiss is forgotten
_AMISS = 200  # resets, pings, settings, empty frames within that time
_WINDOW_UPDATES = 10_000
_OVERHEAD = 512 * 1024  # bytes within that time that belong to no request
_CONFIG = H2Configuration(client_side=False, header_encoding=None)


class Http2Client(asyncio.Protocol):
    __slots__ = (
        "_amiss",
        "_away",
        "_flushing",
        "_forget_at",
        "_h2",
        "_last",
        "_overhead",
        "_proxy",
        "_rests_until",
        "_streams",
        "_updates",
        "blocked",
        "ended",
        "peer",
        "tls",
        "transport",
        "trusted",
    )

    transport: asyncio.Transport

    def __init__(self, proxy: Proxy, tls: ServerSide) -> None:
        self._proxy = proxy
        self.tls = tls
        self._h2 = H2Connection(_CONFIG)
        self._h2.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: _STREAMS,
                SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: proxy.limits.head,
                SettingCodes.ENABLE_CONNECT_PROTOCOL: 1,
            },
        )
        self._h2.decoder.max_header_list_size = proxy.limits.head
        self._last = LastBlock()
        self._streams: dict[int, Stream] = {}
        self._amiss = 0
        self._updates = 0
        self._overhead = 0
        self._forget_at = 0.0
        self._rests_until = 0.0
        self._flushing = False
        self._away = False  # a GOAWAY was sent: no stream begins any more
        self.blocked = False  # the client does not read
        self.ended = False
        self.peer = ""
        self.trusted = False

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        name = transport.get_extra_info("peername")
        self.peer = name[0] if name else "unknown"
        self.trusted = self._proxy.trusts(self.peer)
        self._proxy.enter(self, self.peer)  # it has the place of its TLS connection
        self._rest()
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_WINDOW - 65_535)
        self._flush()
        if self._proxy.draining:
            self.close_if_idle()

    def data_received(self, data: bytes) -> None:
        if self.ended:
            return
        try:
            received = self._h2.receive_data(data)
            self._overhead += len(data)
            for event in received:
                self._on(event)
                if self.ended:
                    return
            if self._overhead > _OVERHEAD:
                self._blame(_AMISS)
        except (H2Error, ValueError) as error:
            self._break(str(error))
            return
        self._flush()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.lost()
        self._proxy.leave(self, self.peer)

    def pause_writing(self) -> None:
        """The client asks and does not read: neither do we, or the answers to its control
        frames would pile up."""
        self.blocked = True
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.blocked = False
        if not self.transport.is_closing():
            self.transport.resume_reading()
        self._pump_all()

    # Frames

    def _on(self, event: events.Event) -> None:
        handle = _HANDLERS.get(type(event))
        if handle is not None:
            handle(self, event)
        elif type(event) in _COSTLY:
            self._blame()

    def _on_data(self, event: events.DataReceived) -> None:
        ended = event.stream_ended is not None
        self._overhead -= event.flow_controlled_length
        if not event.data and not ended:
            self._blame()
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            stream.data(event.data, event.flow_controlled_length, ended)
        else:
            self.acknowledge(event.stream_id, event.flow_controlled_length)

    def _on_trailers(self, event: events.TrailersReceived) -> None:
        """They are dropped, as in HTTP/1.1."""
        if event.stream_id in self._streams:
            self._streams[event.stream_id].data(b"", 0, True)

    def _on_window(self, event: events.WindowUpdated) -> None:
        self._updates += 1
        if self._updates > _WINDOW_UPDATES:
            self._blame()
        if event.stream_id:
            self._pump(event.stream_id)
        else:
            self._pump_all()

    def _on_settings(self, event: events.RemoteSettingsChanged) -> None:
        self._blame()
        self._pump_all()

    def _on_reset(self, event: events.StreamReset) -> None:
        self._blame()
        stream = self._streams.pop(event.stream_id, None)
        if stream is not None:
            stream.lost()

    def _on_goodbye(self, event: events.ConnectionTerminated) -> None:
        """h2 lets nothing be sent after it."""
        self._close()

    def _blame(self, weight: int = 1) -> None:
        """Count what costs us and brings no request (rapid reset and other floods)."""
        now = self._proxy.later(0)
        if now >= self._forget_at:
            self._forget_at = now + _SETTLED
            self._amiss = self._updates = self._overhead = 0
        self._amiss += weight
        if self._amiss > _AMISS:
            self._break("too many control frames", ErrorCodes.ENHANCE_YOUR_CALM)

    # Requests

    def _begin(self, event: events.RequestReceived) -> None:
        identity = event.stream_id
        self._overhead -= min(self._overhead, self._proxy.limits.head)
        if self._away:
            self.reset(identity, ErrorCodes.REFUSED_STREAM)
            return
        stream = self._streams[identity] = Stream(self, identity)
        ended = event.stream_ended is not None
        stream.received_all = ended
        try:
            head = request_head(event.headers, ended=ended)
            if len(head) > self._proxy.limits.head:
                raise BadHead(431, f"The head is longer than {self._proxy.limits.head} bytes")
            asked = self._proxy.parse_request(head)
        except BadHead as error:
            self._refuse(stream, codes.bad_request(error.status, error.cause))
            return
        last = self._last
        if last.block is not asked.block:
            last.note(asked, self.peer, stream.scheme, self.trusted, self._proxy.limits)
        stream.exchange = Exchange(self._proxy, stream, asked, last.fwd, last.lines)
        stream.exchange.start()

    def _refuse(self, stream: Stream, answer: codes.Answer) -> None:
        """The request cannot be understood."""
        kind, content = pages.body(answer, wants_json=False)
        head = pages.head(answer, kind, len(content))
        self._log_refused(answer, len(content))
        self.send_headers(stream.id, response_headers(head, b"", self.date), ended=False)
        stream.write(content)
        stream.done_with_refusal()

    # What streams ask for

    @property
    def date(self) -> bytes:
        return self._proxy.date

    def later_rolling(self) -> float:
        return self._proxy.later(self._proxy.timeouts.rolling)

    def acknowledge(self, identity: int, size: int) -> None:
        if size and not self.ended:
            self._h2.acknowledge_received_data(size, identity)
            self._flush_soon()

    # A stream that its client has just reset may be gone already; the event follows.

    def send_headers(self, identity: int, headers: list[Header], *, ended: bool) -> None:
        if not self.ended:
            with suppress(ProtocolError):
                self._h2.send_headers(identity, headers, end_stream=ended)
            self._flush_soon()

    def send_data(self, identity: int, pending: bytearray, ended: bool) -> bool:
        """Send the beginning of `pending`, as much as the windows take, and remove it; true when
        that was the end."""
        if self.ended or self.blocked:
            return False
        self._flush_soon()
        with suppress(ProtocolError):
            room = self._h2.local_flow_control_window(identity)
            while pending and room > 0:
                part = bytes(pending[: min(room, self._h2.max_outbound_frame_size)])
                del pending[: len(part)]
                room -= len(part)
                self._h2.send_data(identity, part)
            if ended and not pending:
                self._h2.end_stream(identity)
                return True
        return False

    def reset(self, identity: int, code: ErrorCodes) -> None:
        self._streams.pop(identity, None)
        if not self.ended:
            with suppress(ProtocolError):
                self._h2.reset_stream(identity, code)
            self._flush_soon()
            self._rest()

    def finish(self, stream: Stream) -> None:
        """The stream's answer is sent. A client that still sends its request may stop."""
        if self._streams.pop(stream.id, None) is None or self.ended:
            return
        if not stream.received_all:
            with suppress(ProtocolError):
                self._h2.reset_stream(stream.id, ErrorCodes.NO_ERROR)
        self._rest()
        if self._away and not self._streams:
            self._close()

    # Sending

    def _pump(self, identity: int) -> None:
        if identity in self._streams:
            self._streams[identity].pump()

    def _pump_all(self) -> None:
        for stream in list(self._streams.values()):
            stream.pump()

    def _flush_soon(self) -> None:
        """What streams write in one turn of the loop leaves in one write."""
        if not self._flushing:
            self._flushing = True
            self._proxy.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        data = self._h2.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)

    # Time and the end

    @property
    def deadline(self) -> float:
        """The earliest of the streams' and its own."""
        if not self._streams:
            return self._rests_until
        return min(stream.deadline for stream in self._streams.values())

    def expired(self) -> None:
        if self.ended:
            self.transport.abort()
            return
        now = self._proxy.later(0)
        if not self._streams:
            self._close()
        for stream in list(self._streams.values()):
            if stream.deadline <= now:
                stream.expired()

    def _rest(self) -> None:
        self._rests_until = self._proxy.later(self._proxy.timeouts.client_idle)

    def close_if_idle(self) -> None:
        """The router drains: what is open goes on, and nothing new begins."""
        if self.ended or self._away:
            return
        self._flush()
        # By hand: h2 lets nothing be sent any more after a GOAWAY of its own.
        frame = GoAwayFrame(0, last_stream_id=self._h2.highest_inbound_stream_id)
        self.transport.write(frame.serialize())
        self._away = True
        if not self._streams:
            self._close()

    def _break(self, cause: str, code: ErrorCodes | None = None) -> None:
        """The client broke the protocol, or a limit of it: end the connection, saying so."""
        if code is not None:
            self._h2.close_connection(code)
        self._log_refused(codes.bad_request(400, f"HTTP/2: {cause}"), 0)
        self._close()

    def _log_refused(self, answer: codes.Answer, size: int) -> None:
        log = self._proxy.log
        line = logline.refused(
            answer, fwd=self.peer, size=size, scheme=b"https", as_json=log.as_json
        )
        log.write(line)

    def _close(self) -> None:
        self._flush()
        self.ended = True
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.lost()
        self._rests_until = self._proxy.later(self._proxy.timeouts.linger)
        self.transport.close()


_HANDLERS: dict[type[events.Event], Callable[[Http2Client, Any], None]] = {
    events.RequestReceived: Http2Client._begin,
    events.DataReceived: Http2Client._on_data,
    events.TrailersReceived: Http2Client._on_trailers,
    events.WindowUpdated: Http2Client._on_window,
    events.RemoteSettingsChanged: Http2Client._on_settings,
    events.StreamReset: Http2Client._on_reset,
    events.ConnectionTerminated: Http2Client._on_goodbye,
}
_COSTLY = (events.PingReceived, events.PriorityUpdated)
