"""The way from a request to a connection: resolve, choose, connect, and try again."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from hythe.route import codes
from hythe.route.backend import Backend
from hythe.route.balance import choose
from hythe.route.codes import Answer
from hythe.route.request import RequestHead
from hythe.route.table import LiveRoute
from hythe.route.upstream import Upstream
from hythe.wire import Target

if TYPE_CHECKING:
    from hythe.route.exchange import Exchange

_ATTEMPTS = 3


class Dial:
    """Holds a place in flight at one upstream at a time, from its choice until `leave`."""

    __slots__ = (
        "_attempts",
        "_connecting",
        "_exchange",
        "_started",
        "_tried",
        "_upstream",
        "milliseconds",
        "target",
    )

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._started = time.monotonic()
        self._tried: set[Upstream] = set()
        self._attempts = 0
        self._upstream: Upstream | None = None
        self._connecting: asyncio.Task[None] | None = None
        self.target: Target | None = None  # of the last attempt
        self.milliseconds = 0

    @property
    def again(self) -> bool:
        """Whether another attempt is allowed."""
        return self._attempts < _ATTEMPTS

    @property
    def retired(self) -> bool:
        return self._upstream is not None and self._upstream.retired

    def start(self) -> None:
        """One attempt, by the current table."""
        exchange = self._exchange
        route = exchange.proxy.table.find(exchange.head.fields.host)
        if route is None:
            exchange.answer(codes.UNKNOWN_HOST)
            return
        if route.redirect:
            exchange.answer(_elsewhere(route, exchange.head))
            return
        upstream = choose(route.upstreams, self._tried, time.monotonic())
        if upstream is None:
            exchange.answer(codes.of(route.error))
            return
        self._attempts += 1
        self._tried.add(upstream)
        self._upstream = upstream
        self.target = upstream.target
        upstream.enter()
        # A kept-alive connection may die under a request: only one that can be repeated risks it.
        backend = upstream.take() if exchange.head.repeatable else None
        if backend is not None:
            self._connected(backend)
        else:
            self._connecting = exchange.proxy.loop.create_task(self._connect(upstream.target))

    async def _connect(self, target: Target) -> None:
        proxy = self._exchange.proxy
        try:
            async with asyncio.timeout(proxy.timeouts.connect):
                _, backend = await proxy.loop.create_connection(
                    lambda: Backend(proxy), target.host, target.port
                )
        except TimeoutError:
            self._unreached("H19")
        except OSError:
            self._unreached("H21")
        else:
            if backend.closing:
                self._unreached("H21")
            else:
                self._connected(backend)

    def _connected(self, backend: Backend) -> None:
        self._connecting = None
        self.milliseconds = int((time.monotonic() - self._started) * 1000)
        self._exchange.connected(backend)

    def _unreached(self, code: str) -> None:
        """Nothing was sent, so any request may try again."""
        self._connecting = None
        self.leave(well=False)
        if self.again:
            self.start()
        else:
            self._exchange.fail(code)

    def leave(self, *, well: bool | None = None, keeping: Backend | None = None) -> None:
        """Give up the place; `well` says how the target did, None that it was not its doing."""
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        upstream, self._upstream = self._upstream, None
        if upstream is None:
            return
        if well:
            upstream.succeeded()
        elif well is not None:
            upstream.failed(time.monotonic())
        if keeping is not None:
            upstream.keep(keeping, self._exchange.proxy.limits.idle_backends)
        upstream.leave()


def _elsewhere(route: LiveRoute, head: RequestHead) -> Answer:
    """Only what carries no body is sent on: a client may have put a secret into anything else."""
    if head.method in (b"GET", b"HEAD"):
        return codes.moved(route.redirect + head.target.decode())
    return codes.of(route.error)
