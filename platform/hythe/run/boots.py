"""How many instances boot at the same time: the loop starts no more than settings.parallel_starts.

Those that the engine starts itself, at its own start, count too (ADR 8).
"""

import threading
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select

from hythe.model import Database, Instance, now
from hythe.run.desired import Slot
from hythe.settings import Settings


class Boots:
    """Places for instances that boot: taken before the start, given back once the row says so."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._taken: set[int] = set()
        self._lock = threading.Lock()  # several apps are looked at at once

    def free(self) -> int:
        """How many more may start now."""
        with self._lock:
            return max(0, self._settings.parallel_starts - len(self._booting() | self._taken))

    def take(self, slots: Sequence[Slot]) -> list[Slot]:
        """The first of these, as many as may start now; each is to be given back."""
        with self._lock:
            booting = self._booting() | self._taken
            mine: list[Slot] = []
            for slot in slots:
                others = len(booting - {slot.id})
                if slot.id not in self._taken and others < self._settings.parallel_starts:
                    mine.append(slot)
                    booting.add(slot.id)
            self._taken.update(slot.id for slot in mine)
            return mine

    def give_back(self, slot: Slot) -> None:
        with self._lock:
            self._taken.discard(slot.id)

    def _booting(self) -> set[int]:
        """Those that use the machine to boot; one that hangs for longer does not."""
        since = now() - timedelta(seconds=self._settings.boot_timeout)
        with self._database.read() as session:
            return set(
                session.scalars(
                    select(Instance.id).where(
                        Instance.state == "starting", Instance.started_at > since
                    )
                )
            )
