"""The table that a worker routes by: host names to upstreams. Swapped whole, never edited."""

import time
from collections.abc import Callable

from hythe.route.upstream import Upstream
from hythe.wire import Route, RouteTable, Target, Version

_Key = tuple[str, str, int]


class LiveRoute:
    __slots__ = ("app", "error", "redirect", "upstreams")

    def __init__(self, route: Route, upstreams: list[Upstream]) -> None:
        self.app = route.app
        self.error = route.error
        self.redirect = route.redirect
        self.upstreams = upstreams


class LiveTable:
    """`quiet` is called when a target that has left the table has no request in flight any more."""

    def __init__(self, quiet: Callable[[], None]) -> None:
        self.version: Version | None = None
        self.upstreams: dict[_Key, Upstream] = {}  # of the table, and retired ones in use
        self._routes: dict[str, LiveRoute] = {}
        self._quiet = quiet

    def find(self, host: str) -> LiveRoute | None:
        return self._routes.get(host)

    def swap(self, table: RouteTable) -> None:
        """Route by `table` from now on; upstreams that stay keep their connections and counts."""
        born = time.monotonic() if self.version else 0.0  # the first table's need no slow start
        routes: dict[str, LiveRoute] = {}
        kept: dict[_Key, Upstream] = {}
        for route in table.routes:
            live = LiveRoute(route, [self._upstream(t, born, kept) for t in route.targets])
            for host in route.hosts:
                routes[host] = live
        before, self.upstreams = self.upstreams, kept
        self._routes = routes
        self.version = table.version
        for key, upstream in before.items():
            if key in kept:
                continue
            if upstream.in_flight:
                self.upstreams[key] = upstream
            upstream.retire()

    def _upstream(self, target: Target, born: float, kept: dict[_Key, Upstream]) -> Upstream:
        key = (target.id, target.host, target.port)
        upstream = kept.get(key) or self.upstreams.get(key)
        if upstream is None:
            upstream = Upstream(target, born, self._left)
        upstream.target = target
        upstream.retired = False
        kept[key] = upstream
        return upstream

    def _left(self, upstream: Upstream) -> None:
        """A retired upstream has no request in flight any more."""
        target = upstream.target
        self.upstreams.pop((target.id, target.host, target.port), None)
        self._quiet()

    def in_flight(self) -> dict[str, int]:
        """Requests in flight by target id, those of retired targets too; noughts are left out."""
        counts: dict[str, int] = {}
        for upstream in self.upstreams.values():
            if upstream.in_flight:
                identity = upstream.target.id
                counts[identity] = counts.get(identity, 0) + upstream.in_flight
        return counts
