"""Which target gets a request: power of two choices.

Two targets are drawn at random, by their weights. The first gets the request, unless the second
would be no more loaded after taking it: in-flight requests, divided by the target's share. So
shares hold when little goes on, and load decides when much does. What a request adds is taken
between nothing and one, at random, or small numbers in flight would favour the large weights.
"""

import random
from bisect import bisect
from collections.abc import Collection, Sequence
from itertools import accumulate

from hythe.route.upstream import Upstream

_SLOWEST = 0.1  # of its share a new target gets at least


def choose(
    upstreams: Sequence[Upstream],
    tried: Collection[Upstream],
    now: float,
    *,
    slow_start: float = 10.0,
    most: int = 0,
) -> Upstream | None:
    """A target for the next attempt, or None when there is none that may take it.

    One that was tried already comes again only when no other is left. `most` is how many requests
    a target may have in progress; `slow_start` how long a new one takes to get its whole share.
    """
    if len(upstreams) == 1:
        return None if upstreams[0].full(most) else upstreams[0]
    candidates = _able(upstreams, tried, now) if upstreams else []
    if most:
        candidates = [u for u in candidates if not u.full(most)]
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    shares = [_share(u, now, slow_start) for u in candidates]
    one, other = _draw(shares)
    first, second = candidates[one], candidates[other]
    if (second.in_flight + random.random()) * shares[one] < first.in_flight * shares[other]:
        return second
    return first


def _able(upstreams: Sequence[Upstream], tried: Collection[Upstream], now: float) -> list[Upstream]:
    """Without ejected targets, those that weigh nothing, and those that were tried."""
    weighty = [u for u in upstreams if u.target.weight] or list(upstreams)
    out = ejected(upstreams, now)
    well = [u for u in weighty if u not in out] or weighty
    return [u for u in well if u not in tried] or [u for u in weighty if u not in tried] or well


def ejected(upstreams: Sequence[Upstream], now: float) -> list[Upstream]:
    """The targets that are left out: never more than half of them all, the worst first."""
    out = [u for u in upstreams if u.ejected_until > now]
    if len(out) > len(upstreams) // 2:
        out.sort(key=lambda u: u.ejected_until, reverse=True)
        del out[len(upstreams) // 2 :]
    return out


def _share(upstream: Upstream, now: float, slow_start: float) -> float:
    weight = upstream.target.weight or 1
    age = now - upstream.born
    return weight if age >= slow_start else weight * max(_SLOWEST, age / slow_start)


def _draw(shares: list[float]) -> tuple[int, int]:
    """Two different places, the first with the probability of its share, then the second."""
    count = len(shares)
    if count == 2:
        one = random.random() * (shares[0] + shares[1]) >= shares[0]
        return int(one), int(not one)
    if shares.count(shares[0]) == count:
        first = int(random.random() * count)
        second = int(random.random() * (count - 1))
        return first, second + (second >= first)
    first = _weighted(shares)
    rest = shares.copy()
    rest[first] = 0.0
    return first, _weighted(rest)


def _weighted(shares: list[float]) -> int:
    sums = list(accumulate(shares))
    return bisect(sums, random.random() * sums[-1], 0, len(sums) - 1)
