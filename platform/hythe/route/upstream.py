"""One target as a worker knows it: its idle connections, its requests in flight, its health."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hythe.wire import Target

if TYPE_CHECKING:
    from hythe.route.backend import Backend
    from hythe.route.waiting import Waiting

Key = tuple[str, str, str, int]  # app, target id, host, port: what makes it the same again

_FAILURES = 5  # in a row, then the target is ejected
_EJECTION_SECONDS = 30.0  # times the number of ejections
_LONGEST_EJECTION = 300.0
_FORGET_SECONDS = 600.0  # a target that was well for so long begins anew


class Upstream:
    """`moved` is called when it becomes busy (True), or has nothing in flight any more (False)."""

    __slots__ = (
        "_moved",
        "born",
        "ejected_until",
        "ejections",
        "failures",
        "idle",
        "in_flight",
        "key",
        "retired",
        "target",
        "tunnels",
        "waiting",
    )

    def __init__(
        self,
        target: Target,
        born: float,
        moved: Callable[[Upstream, bool], None],
        key: Key = ("", "", "", 0),
    ) -> None:
        self.target = target
        self.key = key
        self.born = born
        self.in_flight = 0
        self.tunnels = 0  # of those in flight; they do not keep requests waiting
        self.idle: list[Backend] | None = None  # last in, first out
        self.retired = False
        self.failures = 0
        self.ejections = 0
        self.ejected_until = 0.0
        self.waiting: Waiting | None = None  # requests that wait for a place at this app
        self._moved = moved

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
        if self.idle is None:
            self.idle = []
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
        if self.in_flight == 1:
            self._moved(self, True)

    def leave(self) -> None:
        self.in_flight -= 1
        if self.in_flight == 0:
            self._moved(self, False)
        if self.waiting is not None:
            self.waiting.next()

    def full(self, most: int) -> bool:
        """Whether `most` requests are in progress; 0 is no limit."""
        return 0 < most <= self.in_flight - self.tunnels

    def failed(self, now: float) -> bool:
        """Count a failure; true when it ejects the target."""
        self.failures += 1
        if self.failures < _FAILURES or now < self.ejected_until:
            return False
        if now - self.ejected_until > _FORGET_SECONDS:
            self.ejections = 0
        self.failures = 0
        self.ejections += 1
        self.ejected_until = now + min(_EJECTION_SECONDS * self.ejections, _LONGEST_EJECTION)
        return True
