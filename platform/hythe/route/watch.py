"""Requests of a route that is watched, by the release that answered them."""

from __future__ import annotations

from typing import Any

from hythe.route.tally import Tally
from hythe.wire import Target


class Watch:
    __slots__ = ("tallies",)

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = {}

    def of(self, target: Target | None) -> Tally:
        """Where to count a request; "" is the release of one that no instance got."""
        release = target.release if target is not None else ""
        tally = self.tallies.get(release)
        if tally is None:
            tally = self.tallies[release] = Tally()
        return tally

    def take(self) -> dict[str, dict[str, Any]]:
        """What was counted since the last call, by release."""
        return {release: each.take() for release, each in self.tallies.items() if each.touched}
