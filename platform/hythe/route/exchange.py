"""One request and its response: sent on, relayed back, ended, logged."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from hythe.route import codes, forward, logline, pages
from hythe.route.body import LAST_CHUNK, chunk
from hythe.route.codes import Answer
from hythe.route.dial import Dial
from hythe.route.request import RequestHead
from hythe.route.response import ResponseHead, accept_of
from hythe.route.tunnel import Tunnel

if TYPE_CHECKING:
    from hythe.route.backend import Backend
    from hythe.route.client import Client
    from hythe.route.proxy import Proxy

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TARGET_FAILURES = frozenset(("H12", "H13", "H17", "H18"))


class Exchange:
    __slots__ = (
        "_answered",
        "_arrived",
        "_backend",
        "_bytes",
        "_chunks",
        "_dial",
        "_fwd",
        "_head_out",
        "_keep_alive",
        "_request_id",
        "_sent_whole",
        "_started",
        "_status",
        "_unsent",
        "client",
        "head",
        "proxy",
        "received",
        "rules",
        "tunnel",
    )

    def __init__(self, proxy: Proxy, client: Client, head: RequestHead) -> None:
        self.proxy = proxy
        self.client = client
        self.head = head
        self.rules = proxy.rules  # of the route, once there is one
        self.tunnel: Tunnel | None = None
        self._started = time.monotonic()
        self._arrived = time.time()
        self._fwd = forward.forwarded_for(head, client.peer, client.trusted)
        kept = head.fields.request_id.decode() if client.trusted else ""
        self._request_id = kept or f"{random.getrandbits(128):032x}"
        self._dial = Dial(self)
        self._backend: Backend | None = None
        self._unsent: list[bytes] = []  # body that arrived before there was a connection
        self.received = 0  # bytes of the request's body
        self._sent_whole = not head.has_body
        self._head_out = b""  # the response's head, until the first of its body joins it
        self._answered = False  # bytes of a final response have left
        self._chunks = False
        self._keep_alive = head.keep_alive
        self._status = 0
        self._bytes = 0  # of the response's body

    def start(self) -> None:
        if not self._sent_whole:
            self.client.hold_body()
        self._dial.start()

    def connected(self, backend: Backend) -> None:
        """There is a connection: send all that is there to send."""
        self._backend = backend
        backend.attach(self)
        head = forward.request_head(
            self.head,
            fwd=self._fwd,
            request_id=self._request_id,
            start=self._arrived,
            trusted=self.client.trusted,
        )
        unsent, self._unsent = self._unsent, []
        self.client.release_body()
        if unsent:
            backend.transport.writelines([head, *unsent])
        else:
            backend.transport.write(head)
        if self.head.awaits_continue and not self._sent_whole and not self.received:
            self.client.write(_CONTINUE)
        self.moved()

    # What the client sends

    def request_body(self, payload: bytes, done: bool) -> None:
        self.received += len(payload)
        limit = self.rules.body_limit
        if limit and self.received > limit:
            self.refuse(413, f"The body is longer than {limit} bytes")
            return
        if self.head.fields.chunked:
            payload = chunk(payload) + (LAST_CHUNK if done else b"")
        self._sent_whole = done
        if self._backend is None:
            self._unsent.append(payload)
        else:
            self.send(payload)
            self.moved()

    def send(self, data: bytes) -> None:
        if self._backend is not None and data:
            self._backend.transport.write(data)

    def refuse(self, status: int, cause: str) -> None:
        """The request's body breaks a rule."""
        self._give_up(codes.bad_request(status, cause))

    def client_lost(self) -> None:
        """The client went away."""
        if self.tunnel is not None:
            self.end_tunnel()
        else:
            self._abort(codes.of("H27"), 499)

    # What the target sends

    def interim(self, head: ResponseHead) -> bool:
        """A 1xx head; true when no other head follows."""
        if head.status == 101:
            self._upgrade(head)
            return True
        if head.status == 103 and self.head.minor == 1:
            self.client.write(head.start + b"\r\n")
        return False  # surplus 100s and what is unknown end here

    def _upgrade(self, head: ResponseHead) -> None:
        key = self.head.fields.websocket_key
        if not self.head.websocket or head.websocket_accept != accept_of(key):
            self.fail("H17", "a 101 that was not asked for, or with a wrong key")
            return
        self._answered = True
        self._keep_alive = False
        self._status = 101
        self.client.write(head.start + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        self.tunnel = Tunnel(self)
        self._dial.opened_tunnel()
        self.proxy.tunnels.add(self)
        self.stay_open()
        self.client.upgraded(self.tunnel)
        if self.retired or self.proxy.draining:
            self.tunnel.part()

    @property
    def retired(self) -> bool:
        """The target has left the table."""
        return self._dial.retired

    def respond(self, head: ResponseHead) -> None:
        """The final head has arrived."""
        relay = forward.response(
            head,
            self.head,
            keep_alive=self._keep_alive and self._sent_whole and not self.proxy.draining,
            date=self.proxy.date,
            cookie=self._dial.new_cookie if self.rules.sticky else b"",
        )
        self._status = head.status
        self._head_out = relay.head
        self._chunks = relay.chunks
        self._keep_alive = relay.keep_alive

    def response_body(self, payload: bytes) -> None:
        self._bytes += len(payload)
        self._write(chunk(payload) if self._chunks else payload)

    def _write(self, data: bytes) -> None:
        if self._head_out:
            head, self._head_out = self._head_out, b""
            self._answered = True
            data = head + data
        if data:
            self.client.write(data)

    def response_ended(self) -> None:
        self._write(LAST_CHUNK if self._chunks else b"")
        backend, self._backend = self._backend, None
        well = self._status < 500
        if backend is not None and self._sent_whole and backend.release():
            self._dial.leave(well=well, keeping=backend)
        else:
            if backend is not None:
                backend.close()
            self._dial.leave(well=well)
        self._log(self._status, self._bytes)
        self.client.done(self._keep_alive and self._sent_whole)

    def backend_lost(self) -> None:
        """The connection to the target is gone, and the response was not whole."""
        backend = self._backend
        if self.tunnel is not None:
            self.end_tunnel()
        elif backend and not backend.received and self.head.repeatable and self._dial.again:
            self._backend = None
            self._dial.retry(well=None if backend.reused else False)
        else:
            self.fail("H18" if self._answered else "H13")

    # Flow control: whoever cannot take more stops the other side

    def backend_blocked(self) -> None:
        self.client.hold_body()

    def backend_flows(self) -> None:
        self.client.release_body()

    def client_blocked(self) -> None:
        if self._backend is not None:
            self._backend.pause()

    def client_flows(self) -> None:
        if self._backend is not None:
            self._backend.resume()
            self.moved()

    # Time

    def touch(self, seconds: float) -> None:
        self.client.deadline = time.monotonic() + seconds

    def moved(self) -> None:
        """A byte moved: the clock starts again."""
        rules = self.rules
        if self.tunnel is not None:
            self.stay_open()
        elif self._backend is not None and self._backend.received:
            self.touch(rules.idle)
        else:
            self.touch(rules.first_byte if self._sent_whole else self.proxy.timeouts.body_idle)

    def stay_open(self) -> None:
        if self.tunnel is not None:
            self.touch(self.tunnel.patience(self.rules.websocket_idle))

    def expired(self) -> None:
        if self.tunnel is not None:
            self.end_tunnel()
        elif self._backend is None:
            self.fail(self._dial.overdue)
        elif self._backend.received:
            self.fail("H28" if self.client.blocked else "H15")
        else:
            self.fail("H12" if self._sent_whole or self.client.holds_body else "H28")

    # The end

    def end_tunnel(self) -> None:
        tunnel, backend = self.tunnel, self._backend
        if tunnel is None or backend is None:
            return
        self.proxy.tunnels.discard(self)
        self._backend = None
        backend.finish()
        self._dial.leave(well=True)
        self._log(101, tunnel.received)
        self.client.done(False)

    def fail(self, code: str, detail: str = "") -> None:
        """Answer with an error, or cut the connection when an answer has begun."""
        if code in _TARGET_FAILURES:
            self._dial.leave(well=False)
        self._give_up(codes.of(code), detail)

    def _give_up(self, answer: Answer, detail: str = "") -> None:
        if self._answered:
            self._abort(answer, self._status, detail)
        else:
            self.answer(answer, detail)

    def answer(self, answer: Answer, detail: str = "") -> None:
        """Answer in place of the app."""
        self._drop()
        keep = self._keep_alive and self._sent_whole and not self.proxy.draining
        kind, content = pages.body(answer, self.head.fields.wants_json)
        self.client.write(
            pages.head(answer, kind, len(content), self.proxy.date, close=not keep)
            + (b"" if self.head.method == b"HEAD" else content)
        )
        self._log(answer.status, len(content), answer, detail)
        self.client.done(keep)

    def _abort(self, answer: Answer, status: int, detail: str = "") -> None:
        self._drop()
        self._log(status, self._bytes, answer, detail)
        self.client.abort()

    def _drop(self) -> None:
        """Let go of the target, whatever it was doing."""
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()
        self._dial.leave()

    @property
    def sender(self) -> str:
        """The address that the request came from, as far as that can be believed."""
        before = self.head.fields.forwarded_for if self.client.trusted else b""
        return before.rpartition(b",")[2].strip().decode() or self.client.peer

    def _log(self, status: int, size: int, answer: Answer | None = None, detail: str = "") -> None:
        seconds = time.monotonic() - self._started
        proxy = self.proxy
        tally = proxy.table.tally(self._dial.route)
        tally.served(status, int(seconds * 1e6), self.received, size)
        if answer is not None:
            tally.error(answer.code)
        elif proxy.log.skips():
            return
        proxy.log.write(
            logline.served(
                self.head,
                request_id=self._request_id,
                fwd=self._fwd,
                target=self._dial.target,
                connect=self._dial.milliseconds,
                service=int(seconds * 1000),
                status=status,
                size=size,
                answer=answer,
                detail=detail,
                as_json=proxy.log.as_json,
            )
        )
