"""One request and its response: sent on, relayed back, ended, logged."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hythe.route import codes, forward, pages
from hythe.route.body import LAST_CHUNK, chunk
from hythe.route.codes import Answer
from hythe.route.dial import Dial
from hythe.route.request import RequestHead
from hythe.route.response import ResponseHead, accept_of
from hythe.route.tunnel import Tunnel

if TYPE_CHECKING:
    from hythe.route.backend import Backend
    from hythe.route.downstream import Downstream
    from hythe.route.proxy import Proxy

_CONTINUE = ResponseHead(100, b"Continue", b"")
_TARGET_FAILURES = frozenset(("H12", "H13", "H17", "H18"))


class Exchange:
    __slots__ = (
        "_answered",
        "_backend",
        "_bytes",
        "_dial",
        "_fwd",
        "_lines",
        "_request_id",
        "_started",
        "_status",
        "_unsent",
        "client",
        "head",
        "proxy",
        "received",
        "rules",
        "sent_whole",
        "tunnel",
    )

    def __init__(
        self, proxy: Proxy, client: Downstream, head: RequestHead, fwd: str, lines: bytes
    ) -> None:
        """`fwd` and `lines` are what forward.forwarded_for and request_lines give."""
        self.proxy = proxy
        self.client = client
        self.head = head
        self.rules = proxy.rules  # of the route, once there is one
        self.tunnel: Tunnel | None = None
        self._started = time.monotonic()
        self._fwd = fwd
        self._lines = lines
        kept = client.trusted and head.fields.request_id.decode()
        self._request_id = kept or proxy.request_ids()
        self._dial = Dial(self)
        self._backend: Backend | None = None
        self._unsent: list[bytes] | None = None  # body that came before there was a connection
        self.received = 0  # bytes of the request's body
        self.sent_whole = not head.has_body
        self._answered = False  # bytes of a final response have left
        self._status = 0
        self._bytes = 0  # of the response's body

    def start(self) -> None:
        tls = self.client.tls
        if tls is not None and not tls.serves(self.head.fields.host):
            self.answer(codes.of("H31"), f"the connection was opened for {tls.name}")
            return
        if not self.sent_whole:
            self.client.hold_body()
        self._dial.start()

    def connected(self, backend: Backend) -> None:
        """There is a connection: send all that is there to send."""
        self._backend = backend
        backend.attach(self)
        asked, proxy = self.head, self.proxy
        arrived = self._started + proxy.epoch
        head = forward.request_head(asked, self._lines, self._request_id, arrived)
        if asked.has_body or self._unsent:
            self._send_with_body(backend, head)
        else:
            backend.transport.write(head)
        waits = self.rules.first_byte if self.sent_whole else proxy.timeouts.body_idle
        self.client.deadline = proxy.horizon + waits

    def _send_with_body(self, backend: Backend, head: bytes) -> None:
        """The head, and what has come of the body, or of a WebSocket that did not wait."""
        unsent, self._unsent = self._unsent or [], None
        backend.transport.writelines([head, *unsent])
        if not self.head.has_body:
            return
        self.client.release_body()
        if self.head.awaits_continue and not self.sent_whole and not self.received:
            self.client.early(_CONTINUE)

    # What the client sends

    def request_body(self, payload: bytes, done: bool) -> None:
        self.received += len(payload)
        limit = self.rules.body_limit
        if limit and self.received > limit:
            self.refuse(413, f"The body is longer than {limit} bytes")
            return
        if self.head.fields.chunked:
            payload = chunk(payload) + (LAST_CHUNK if done else b"")
        self.sent_whole = done
        if self._backend is None:
            self._unsent = self._unsent or []
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
            self.client.early(head)
        return False  # surplus 100s and what is unknown end here

    def _upgrade(self, head: ResponseHead) -> None:
        key = self.head.fields.websocket_key
        if not self.head.websocket or head.websocket_accept != accept_of(key):
            self.fail("H17", "a 101 that was not asked for, or with a wrong key")
            return
        self._answered = True
        self._status = 101
        self.tunnel = Tunnel(self)
        self._dial.opened_tunnel()
        self.proxy.tunnels.add(self)
        self.stay_open()
        self.client.upgraded(head, self.tunnel)
        if self.retired or self.proxy.draining:
            self.tunnel.part()

    @property
    def retired(self) -> bool:
        """The target has left the table."""
        return self._dial.retired

    @property
    def answered(self) -> bool:
        """Bytes of the answer have left."""
        return self._answered

    def respond(self, head: ResponseHead) -> None:
        """The final head has arrived."""
        self._status = head.status
        self.client.respond(head, self._added())

    def _added(self) -> bytes:
        """Header lines of the router's own."""
        rules = self.rules
        lines = self._dial.new_cookie if rules.sticky else b""
        if rules.hsts and self.secure:
            lines += b"Strict-Transport-Security: max-age=%d\r\n" % rules.hsts
        return lines

    @property
    def secure(self) -> bool:
        """The client came by HTTPS, to us or to the proxy in front that we trust."""
        proto = self.head.fields.forwarded_proto if self.client.trusted else b""
        return (proto or self.client.scheme) == b"https"

    @property
    def https_url(self) -> str:
        """This request's address by HTTPS."""
        fields, port = self.head.fields, self.proxy.https_port
        target = self.head.target.decode() if self.head.target != b"*" else "/"
        return f"https://{fields.host}{'' if port == 443 else f':{port}'}{target}"

    def response_body(self, payload: bytes) -> None:
        self._bytes += len(payload)
        self._answered = True
        self.client.response_body(payload)

    def respond_whole(self, head: ResponseHead, payload: bytes) -> None:
        """The final head and all of its body have arrived."""
        self._status = head.status
        self._bytes = len(payload)
        self._answered = True
        rules = self.rules
        added = self._added() if rules.sticky or rules.hsts else b""
        self.client.respond_whole(head, added, payload)
        self._end()

    def response_ended(self) -> None:
        self.client.response_ended()
        self._end()

    def _end(self) -> None:
        backend, self._backend = self._backend, None
        well = self._status < 500
        if backend is not None and self.sent_whole and backend.release():
            self._dial.leave(well=well, keeping=backend)
        else:
            if backend is not None:
                backend.close()
            self._dial.leave(well=well)
        self._log(self._status, self._bytes)
        self.client.done()

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
        self.client.deadline = self.proxy.later(seconds)

    def moved(self) -> None:
        """A byte moved: the clock starts again."""
        backend = self._backend
        if self.tunnel is not None:
            self.stay_open()
        elif backend is not None and backend.received:
            self.touch(self.rules.idle)
        elif self.sent_whole:
            self.touch(self.rules.first_byte)
        else:
            self.touch(self.proxy.timeouts.body_idle)

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
            self.fail("H12" if self.sent_whole or self.client.holds_body else "H28")

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
        self.client.done()

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
        kind, content = pages.body(answer, self.head.fields.wants_json)
        self.client.respond(pages.head(answer, kind, len(content)), self._added())
        self.client.response_body(b"" if self.head.method == b"HEAD" else content)
        self.client.response_ended()
        self._log(answer.status, len(content), answer if answer.status >= 400 else None, detail)
        self.client.done()

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
        proxy, dial = self.proxy, self._dial
        route = dial.route
        tally = (route and route.tally) or proxy.table.tally(route)
        code, failed = answer.code if answer else "", codes.fails(status, answer)
        tally.served(status, int(seconds * 1e6), self.received, size, code, failed)
        if route is not None and route.watch is not None:
            watched = route.watch.of(dial.target)
            watched.served(status, int(seconds * 1e6), self.received, size, code, failed)
        del dial.exchange
        log = proxy.log
        if answer is None and log.sampled and log.skips():
            return
        log.write(
            log.line(
                self.head,
                self._request_id,
                self._fwd,
                dial.target,
                dial.milliseconds,
                int(seconds * 1000),
                status,
                size,
                self.client.scheme,
                answer,
                detail,
            )
        )
