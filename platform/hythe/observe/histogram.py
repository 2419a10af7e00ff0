"""Service times as the router counts them: {microseconds that they stayed below: requests}."""

from collections.abc import Mapping

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

Times = Mapping[int, int]


def since(now: Times, before: Times) -> dict[int, int]:
    """What was counted since; a router that started anew counts from nought."""
    if any(before[bound] > now.get(bound, 0) for bound in before):
        before = {}
    return {bound: count - before.get(bound, 0) for bound, count in now.items()}


def quantiles(times: Times) -> dict[str, float]:
    """Seconds within which these shares of the requests were served; nothing without any."""
    total = sum(times.values())
    return (
        {name: _below(times, share * total) for name, share in QUANTILES.items()} if total else {}
    )


def _below(times: Times, rank: float) -> float:
    for bound in sorted(times):
        rank -= times[bound]
        if times[bound] and rank <= 0:
            return bound / 1e6
    return 0.0
