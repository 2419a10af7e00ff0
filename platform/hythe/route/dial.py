"""The way from a request to a connection: resolve, wait, choose, connect, and try again."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

from hythe.route import codes
from hythe.route.backend import Backend
from hythe.route.gate import refusal
from hythe.route.table import AmbiguousPath
from hythe.route.tally import CONNECT_FAILURES, CONNECTS, EJECTIONS, QUEUED, RETRIES
from hythe.route.waiting import Waiting
from hythe.wire import HOLD, Target

if TYPE_CHECKING:
    from hythe.route.exchange import Exchange
    from hythe.route.liveroute import LiveRoute
    from hythe.route.upstream import Upstream

_ATTEMPTS = 3


class Dial:
    """Holds a place in flight at one upstream at a time, from its choice until `leave`."""

    __slots__ = (
        "_attempts",
        "_connecting",
        "_tried",
        "_tunnel",
        "_upstream",
        "_wait_until",
        "_waiting",
        "exchange",
        "milliseconds",
        "route",
        "target",
    )

    def __init__(self, exchange: Exchange) -> None:
        # Deleted with the exchange: two objects that hold each other wait for the collector.
        self.exchange = exchange
        self._tried: tuple[Upstream, ...] = ()
        self._tunnel = False
        self._attempts = 0
        self._upstream: Upstream | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: Waiting | None = None
        self._wait_until = 0.0
        self.route: LiveRoute | None = None  # of the last attempt
        self.target: Target | None = None  # of the last attempt
        self.milliseconds = 0

    @property
    def again(self) -> bool:
        """Whether another attempt is allowed."""
        return self._attempts < _ATTEMPTS

    @property
    def retired(self) -> bool:
        return self._upstream is not None and self._upstream.retired

    @property
    def overdue(self) -> str:
        """The code for a request that did not get a connection in time."""
        if self._waiting is None:
            return "H19"
        return "H20" if self._holds else "H11"

    @property
    def _holds(self) -> bool:
        return self.route is not None and self.route.wire.mode == HOLD

    def start(self) -> None:
        """One attempt, by the current table."""
        exchange = self.exchange
        head = exchange.head
        self._waiting = None  # if it waited: it was woken
        try:
            route = self.route = exchange.proxy.table.find(head.fields.host, head.target)
        except AmbiguousPath:
            exchange.answer(codes.bad_request(400, "The path can be read in more than one way"))
            return
        if route is None:
            exchange.answer(codes.UNKNOWN_HOST)
            return
        exchange.rules = route.rules
        if route.gated and not self._pass_gate(route):
            return
        cookie = _cookie(head.block.passed, route) if route.rules.sticky else b""
        upstream = route.pick(self._tried, cookie)
        if upstream is not None:
            self._try(upstream, route)
        elif route.upstreams:
            self._wait(route)
        else:
            exchange.answer(codes.of(route.wire.error))

    def _pass_gate(self, route: LiveRoute) -> bool:
        first = not self._attempts and not self._wait_until
        answer = refusal(self.exchange, route) if first else None
        if answer is not None:
            self.exchange.answer(answer)
            return False
        if route.wire.mode == HOLD:
            self._wait(route)
            return False
        return True

    # Waiting

    def _wait(self, route: LiveRoute) -> None:
        """Until a place is free, or the table lets it pass; the client's deadline ends it."""
        exchange = self.exchange
        proxy = exchange.proxy
        waiting = proxy.table.queue(route, proxy.make_queue)
        now = time.monotonic()
        if self._wait_until:
            waiting.add_again(self)
        elif len(waiting) >= route.rules.backlog or not route.rules.hold:
            exchange.fail("H20" if not route.rules.hold and self._holds else "H11")
            return
        else:
            self._wait_until = now + route.rules.hold
            proxy.table.tally(route).count(QUEUED)
            waiting.add(self)
            if self._holds and len(waiting) == 1:
                proxy.table.news()
        self._waiting = waiting
        exchange.touch(self._wait_until - now)

    # Connecting

    def _try(self, upstream: Upstream, route: LiveRoute) -> None:
        exchange = self.exchange
        self._attempts += 1
        if self._attempts > 1:
            exchange.proxy.table.tally(route).count(RETRIES)
        self._upstream = upstream
        self.target = upstream.target
        upstream.enter()
        # A kept-alive connection may die under a request: only one that can be repeated risks it.
        if exchange.head.repeatable and (backend := upstream.take()) is not None:
            exchange.connected(backend)
        else:
            # Each attempt has its own limit as well.
            exchange.touch(route.rules.connect * _ATTEMPTS)
            self._connecting = exchange.proxy.loop.create_task(self._connect(upstream, route))

    async def _connect(self, upstream: Upstream, route: LiveRoute) -> None:
        proxy = self.exchange.proxy
        tally = proxy.table.tally(route)
        tally.count(CONNECTS)
        began = time.monotonic()
        try:
            async with asyncio.timeout(route.rules.connect):
                _, backend = await proxy.loop.create_connection(
                    lambda: Backend(proxy), upstream.target.host, upstream.target.port
                )
        except TimeoutError:
            self._unreached("H19")
        except OSError:
            self._unreached("H21")
        else:
            if backend.closing:
                self._unreached("H21")
            else:
                self._connecting = None
                self.milliseconds += int((time.monotonic() - began) * 1000)
                self.exchange.connected(backend)

    def _unreached(self, code: str) -> None:
        """Nothing was sent, so any request may try again."""
        self._connecting = None
        if self.route is not None:
            self.exchange.proxy.table.tally(self.route).count(CONNECT_FAILURES)
        if self.again:
            self.retry(well=False)
        else:
            self.leave(well=False)
            self.exchange.fail(code)

    def retry(self, *, well: bool | None) -> None:
        """Another attempt, at another target where there is one."""
        if self._upstream is not None:
            self._tried += (self._upstream,)
        self.leave(well=well)
        self.start()

    @property
    def new_cookie(self) -> bytes:
        """The header that keeps a browser at this target; b"" when there is nothing to tell."""
        route, upstream = self.route, self._upstream
        if route is None or upstream is None or not route.rules.sticky:
            return b""
        value = route.cookie_of(upstream)
        if _cookie(self.exchange.head.block.passed, route) == value:
            return b""
        secure = b"; Secure" if self.exchange.client.scheme == b"https" else b""
        pair = b"%s=%s" % (route.cookie_name, value)
        return b"Set-Cookie: %s; Path=/; HttpOnly; SameSite=Lax%s\r\n" % (pair, secure)

    def opened_tunnel(self) -> None:
        """The request became a WebSocket, which no longer counts against the target's limit."""
        if self._upstream is not None:
            self._tunnel = True
            self._upstream.tunnels += 1

    def leave(self, *, well: bool | None = None, keeping: Backend | None = None) -> None:
        """Give up the place; `well` says how the target did, None that it was not its doing."""
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        if self._waiting is not None:
            self._waiting.discard(self)
            self._waiting = None
        upstream, self._upstream = self._upstream, None
        if upstream is None:
            return
        if self._tunnel:
            self._tunnel = False
            upstream.tunnels -= 1
        if well:
            upstream.failures = 0
        elif well is not None and upstream.failed(time.monotonic()) and self.route is not None:
            self.exchange.proxy.table.tally(self.route).count(EJECTIONS)
        if keeping is not None:
            upstream.keep(keeping, self.exchange.proxy.limits.idle_backends)
        upstream.leave()


def _cookie(passed: bytes, route: LiveRoute) -> bytes:
    """The value of a route's sticky cookie, b"" without one."""
    match = re.search(rb"(?im)^cookie:.*?[ ;]%s=([0-9a-f]{16})" % route.cookie_name, passed)
    return match[1] if match else b""
