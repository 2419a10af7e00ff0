"""A route as a worker uses it: its rules, its upstreams, and which of them gets a request."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Collection

from hythe.route.balance import choose, ejected
from hythe.route.rules import Rules
from hythe.route.tally import Tally
from hythe.route.upstream import Upstream
from hythe.route.watch import Watch
from hythe.wire import SERVE, Route


class LiveRoute:
    """Immutable, but for what its parts count."""

    __slots__ = ("_even", "_settled", "gated", "rules", "tally", "upstreams", "watch", "wire")

    def __init__(self, route: Route, rules: Rules, upstreams: list[Upstream]) -> None:
        self.wire = route
        self.rules = rules
        self.upstreams = upstreams
        self.tally: Tally | None = None  # from the first request on
        self.watch: Watch | None = None
        self.gated = route.mode != SERVE or bool(
            rules.rate or rules.body_limit or rules.https_only or route.challenges or route.redirect
        )
        weights = {upstream.target.weight for upstream in upstreams}
        self._even = len(upstreams) > 1 and len(weights) == 1 and 0 not in weights
        self._settled = max((u.born for u in upstreams), default=0.0) + rules.slow_start

    def pick(self, tried: Collection[Upstream], cookie: bytes) -> Upstream | None:
        """The upstream for an attempt; None when there is none, or all are busy."""
        upstreams, rules = self.upstreams, self.rules
        if len(upstreams) == 1:
            only, most = upstreams[0], rules.target_requests
            return None if only.in_flight >= most and only.full(most) else only
        now = time.monotonic()
        if cookie and (kept := self._keeper(cookie, now)) and kept not in tried:
            return kept
        if self._even and not tried and now >= self._settled:  # nearly always: `choose` in short
            count = len(upstreams)
            one = int(random.random() * count)
            other = int(random.random() * (count - 1))
            first, second = upstreams[one], upstreams[other + (other >= one)]
            if second.in_flight < first.in_flight:
                first, second = second, first
            if first.ejected_until <= now and not first.full(rules.target_requests):
                return first
        return choose(
            upstreams, tried, now, slow_start=rules.slow_start, most=rules.target_requests
        )

    def _keeper(self, cookie: bytes, now: float) -> Upstream | None:
        """The upstream that a sticky cookie names, while it can take requests."""
        for upstream in self.upstreams:
            if self.cookie_of(upstream) == cookie:
                able = upstream.target.weight and not upstream.full(self.rules.target_requests)
                return upstream if able and upstream not in ejected(self.upstreams, now) else None
        return None

    @property
    def cookie_name(self) -> bytes:
        """Each app has its own: apps may share a host name, by path."""
        return b"hythe-" + _digest(self.wire.app)[:8]

    def cookie_of(self, upstream: Upstream) -> bytes:
        return _digest(f"{self.wire.app} {upstream.target.id}")


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest().encode()
