"""The table that a worker routes by: host names to routes, and targets to upstreams.

A change puts new routes and a new index in the place of the old, in one step. A request that has
found its route keeps it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

from hythe.route.hosts import AmbiguousPath, Hosts
from hythe.route.liveroute import LiveRoute
from hythe.route.rules import RuleBook
from hythe.route.tally import Tally
from hythe.route.upstream import Key, Upstream
from hythe.route.waiting import Waiting
from hythe.route.watch import Watch
from hythe.wire import HOLD, Route, Target, Version

__all__ = ["AmbiguousPath", "LiveTable"]


class LiveTable:
    """`news` is called when a target that has left the table has no request in flight any more, and
    when the first request of a held app waits."""

    def __init__(self, rules: RuleBook, news: Callable[[], None]) -> None:
        self.version: Version | None = None
        self.upstreams: dict[Key, Upstream] = {}  # of the table, and retired ones in use
        self.busy: set[Upstream] = set()  # those with requests in flight
        self.tallies: dict[str, Tally] = {}  # by app, from its first request on
        self.unrouted = Tally()  # requests that no route is for
        self.watches: dict[str, Watch] = {}  # by their word
        self._unwatched: dict[str, Watch] = {}  # those that ended since `take_watched`
        self._waiting: dict[str, Waiting] = {}  # by app, from its first request that waited
        self._apps: dict[str, LiveRoute] = {}
        self._hosts = Hosts()
        self.find = self._hosts.find  # the route of a request to a host name
        self._rules = rules
        self.news = news

    def apply(self, version: Version, routes: Iterable[Route], gone: Iterable[str] = ()) -> None:
        """Route these apps like this from now on, and those in `gone` no more; upstreams that stay
        keep their connections and counts."""
        born = time.monotonic() if self.version else 0.0  # the first table's need no slow start
        fresh = {route.app: self._live(route, born) for route in routes}
        changed = {*fresh, *gone}
        before = [self._apps[app] for app in changed if app in self._apps]
        self._hosts = self._hosts.replaced(before, fresh.values())
        self.find = self._hosts.find
        for app in changed - fresh.keys():
            self._apps.pop(app, None)
            self.tallies.pop(app, None)
        self._apps.update(fresh)
        self.version = version
        self._retire(before, fresh.values())
        for route in before:
            word = route.wire.watch
            if word and all(now.wire.watch != word for now in fresh.values()):
                self._unwatched[word] = self.watches.pop(word, Watch())
        for app in changed & self._waiting.keys():
            self._look_again(app)

    def _live(self, route: Route, born: float) -> LiveRoute:
        upstreams = {self._upstream(route.app, target, born): None for target in route.targets}
        live = LiveRoute(route, self._rules.of(route.settings), list(upstreams))
        live.tally = self.tallies.get(route.app)
        if route.watch:
            live.watch = self.watches.setdefault(route.watch, Watch())
        return live

    def _upstream(self, app: str, target: Target, born: float) -> Upstream:
        key = (app, target.id, target.host, target.port)
        upstream = self.upstreams.get(key)
        if upstream is None:
            upstream = self.upstreams[key] = Upstream(target, born, self._moved, key)
        upstream.target = target
        upstream.retired = False
        return upstream

    def _retire(self, before: Iterable[LiveRoute], now: Iterable[LiveRoute]) -> None:
        kept = {upstream for route in now for upstream in route.upstreams}
        for route in before:
            for upstream in route.upstreams:
                if upstream not in kept:
                    upstream.retire()
                    if not upstream.in_flight:
                        self.upstreams.pop(upstream.key, None)

    # Counting and waiting

    def tally(self, route: LiveRoute | None) -> Tally:
        """Where to count a request of a route, or of none."""
        if route is None:
            return self.unrouted
        if route.tally is None:
            route.tally = self.tallies.setdefault(route.wire.app, Tally())
        return route.tally

    def take_watched(self) -> dict[str, Any]:
        """What was counted by watch and release since the last call."""
        ended, self._unwatched = self._unwatched, {}
        return {word: watch.take() for word, watch in {**self.watches, **ended}.items()}

    def queue(self, route: LiveRoute, make: Callable[[], Waiting]) -> Waiting:
        """Where an app's requests wait; made when the first has to."""
        app = route.wire.app
        waiting = self._waiting.get(app)
        if waiting is None:
            waiting = self._waiting[app] = make()
            for upstream in route.upstreams:
                upstream.waiting = waiting
        return waiting

    def _look_again(self, app: str) -> None:
        """Those who wait try again, and new upstreams know of them."""
        waiting = self._waiting[app]
        if app in self._apps:
            for upstream in self._apps[app].upstreams:
                upstream.waiting = waiting
        else:
            del self._waiting[app]
        waiting.all()

    def waiting(self) -> list[str]:
        """Held apps of which requests wait."""
        return [
            app
            for app, waiting in self._waiting.items()
            if len(waiting) and app in self._apps and self._apps[app].wire.mode == HOLD
        ]

    def held(self) -> int:
        """Requests that wait."""
        return sum(map(len, self._waiting.values()))

    def _moved(self, upstream: Upstream, busy: bool) -> None:
        if busy:
            self.busy.add(upstream)
            return
        self.busy.discard(upstream)
        if upstream.retired:
            self.upstreams.pop(upstream.key, None)
            self.news()

    def in_flight(self) -> dict[str, int]:
        """Requests in flight by target id, those of retired targets too; noughts are left out."""
        return _sums(self.busy)


def _sums(upstreams: Collection[Upstream]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for upstream in upstreams:
        identity = upstream.target.id
        counts[identity] = counts.get(identity, 0) + upstream.in_flight
    return counts
