"""Which target gets a request: the less loaded of two drawn at random."""

import random
from collections.abc import Collection, Sequence

from hythe.route.upstream import Upstream

_SLOW_START_SECONDS = 10.0
_SLOWEST = 0.1


def choose(
    upstreams: Sequence[Upstream], tried: Collection[Upstream], now: float
) -> Upstream | None:
    """A target for the next attempt; one that was tried already only when no other is left."""
    if len(upstreams) == 1:
        return upstreams[0]
    candidates = [u for u in upstreams if u.target.weight and u not in tried]
    if not candidates:
        candidates = [u for u in upstreams if u.target.weight] or list(upstreams)
    candidates = _without_ejected(candidates, len(upstreams), now)
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    one, other = random.sample(candidates, 2)
    return one if _load(one, now) <= _load(other, now) else other


def _without_ejected(candidates: list[Upstream], total: int, now: float) -> list[Upstream]:
    """Leave out ejected targets, unless that were more than half of them all, or the last."""
    well = [u for u in candidates if u.ejected_until <= now]
    if len(well) == len(candidates):
        return candidates
    return well if well and len(candidates) - len(well) <= total // 2 else candidates


def _load(upstream: Upstream, now: float) -> float:
    age = (now - upstream.born) / _SLOW_START_SECONDS
    share = max(1, upstream.target.weight) * min(1.0, max(_SLOWEST, age))
    return (upstream.in_flight + 1) / share
