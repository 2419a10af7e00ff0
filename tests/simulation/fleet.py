"""Routers: the real control link's messages and the real table, without sockets or requests.

A message takes a while on its way, and a router may be killed, or stand still.
"""

import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from simulation.clock import Agenda, Clock

from hythe.route.options import RouterOptions
from hythe.route.tables import Tables
from hythe.run.routers import Routers, Session
from hythe.wire import LEASE_SECONDS, Version

REPORT_SECONDS = 1.0


class Wire:
    """The control plane's end of a connection; it breaks for good."""

    def __init__(self, deliver: Callable[[bytes], None]) -> None:
        self._deliver = deliver
        self.broken = False

    def sendall(self, data: bytes) -> None:
        if self.broken:
            raise BrokenPipeError
        self._deliver(data)

    def shutdown(self, how: int) -> None:
        self.broken = True


class PlayedRouter:
    """One router. It serves by its last table, whether or not the control plane is there."""

    def __init__(
        self,
        clock: Clock,
        agenda: Agenda,
        random: Random,
        applied: "Callable[[PlayedRouter], None]",
    ) -> None:
        self._clock = clock
        self._agenda = agenda
        self._random = random
        self._applied = applied
        self.tables = Tables(RouterOptions(), lambda _apps: None, self._greet)
        self.open: Counter[str] = Counter()  # requests by target
        self.trusted = False  # it holds a lease, and its table is not older than its acks say
        self._still_until = 0.0
        self._link: tuple[Routers, Wire, Session] | None = None
        self._inbox: list[tuple[Wire, bytes]] = []
        self._tick()

    @property
    def version(self) -> Version:
        return self.tables.ledger.version or (0, 0)

    def dial(self, control: Routers) -> None:
        """Say hello to a control plane; it answers with its table."""
        wire = Wire(lambda data: self._receive(wire, data))
        hello = {"type": "hello", "router": "r1", "changes": True}
        self._link = (control, wire, control._hear(wire, None, hello))  # type: ignore[arg-type]

    @property
    def connected(self) -> bool:
        return self._link is not None and not self._link[1].broken

    def hang_up(self) -> None:
        """The control plane is gone."""
        self._link = None

    def stand_still(self, seconds: float) -> None:
        """Neither read nor report; what it serves stays as it is."""
        self._still_until = max(self._still_until, self._clock.seconds + seconds)
        if seconds > LEASE_SECONDS - 2 * REPORT_SECONDS:
            self.trusted = False

    def die(self) -> None:
        """Its requests are lost; it comes back with its last table."""
        self.open.clear()
        self.hang_up()
        self.trusted = False

    def report(self) -> None:
        if self._still or not self.connected:
            return
        assert self._link is not None
        control, wire, session = self._link
        message = {
            "type": "report",
            "version": list(self.version),
            "in_flight": {target: count for target, count in self.open.items() if count},
        }
        control._hear(wire, session, message)  # type: ignore[arg-type]
        if control._table is not None and control._table.version == self.version:
            self.trusted = True

    @property
    def _still(self) -> bool:
        return self._clock.seconds < self._still_until

    def _tick(self) -> None:
        self.report()
        self._agenda.add(REPORT_SECONDS, self._tick)

    def _receive(self, wire: Wire, data: bytes) -> None:
        self._inbox.append((wire, data))  # a stream: read in order
        self._agenda.add(self._random.choice((0.001, 0.3, 2.0)), self._read)

    def _read(self) -> None:
        if self._still:
            self._agenda.add(self._still_until - self._clock.seconds, self._read)
            return
        while self._inbox:
            wire, data = self._inbox.pop(0)
            if self._link is None or wire is not self._link[1]:
                continue  # of a connection that is gone
            message: dict[str, Any] = json.loads(data)
            refusal = self.tables.hear(message)
            assert refusal is None, refusal
            self._applied(self)
            self.report()

    def _greet(self) -> None:
        if self._link is not None and self.connected:
            control, wire, session = self._link
            hello = {"type": "hello", "router": "r1", "changes": True}
            control._hear(wire, session, hello)  # type: ignore[arg-type]
