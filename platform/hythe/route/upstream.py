"""One target as a worker knows it: its idle connections, its requests in flight, its health."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hythe.wire import Target

if TYPE_CHECKING:
    from hythe.route.backend import Backend

_FAILURES = 5  # in a row, then the target is ejected
_EJECTION_SECONDS = 30.0  # times the number of ejections
_LONGEST_EJECTION = 300.0


class Upstream:
    __slots__ = (
        "_left",
        "born",
        "ejected_until",
        "ejections",
        "failures",
        "idle",
        "in_flight",
        "retired",
        "target",
    )

    def __init__(self, target: Target, born: float, left: Callable[[Upstream], None]) -> None:
        self.target = target
        self.born = born
        self.in_flight = 0
        self.idle: list[Backend] = []  # last in, first out
        self.retired = False
        self.failures = 0
        self.ejections = 0
        self.ejected_until = 0.0
        self._left = left

    def take(self) -> Backend | None:
        """An idle connection, the most recently used first."""
        while self.idle:
            backend = self.idle.pop()
            if not backend.closing:
                return backend
        return None

    def keep(self, backend: Backend, most: int) -> None:
        """Put a connection back that can serve again."""
        if self.retired:
            backend.close()
            return
        self.idle.append(backend)
        if len(self.idle) > most:
            self.idle.pop(0).close()

    def reap(self, before: float) -> None:
        """Close connections that have been idle since `before`; the oldest come first."""
        while self.idle and self.idle[0].idle_since <= before:
            self.idle.pop(0).close()

    def retire(self) -> None:
        self.retired = True
        while self.idle:
            self.idle.pop().close()

    def enter(self) -> None:
        self.in_flight += 1

    def leave(self) -> None:
        self.in_flight -= 1
        if self.retired and self.in_flight == 0:
            self._left(self)

    def succeeded(self) -> None:
        self.failures = 0

    def failed(self, now: float) -> None:
        self.failures += 1
        if self.failures >= _FAILURES and now >= self.ejected_until:
            self.failures = 0
            self.ejections += 1
            self.ejected_until = now + min(_EJECTION_SECONDS * self.ejections, _LONGEST_EJECTION)
