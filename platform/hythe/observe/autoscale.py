"""How many instances the load asks for: a function of what was measured, and of nothing else.

The load of a step is what was measured over what was asked for: 1.0 is at the target. Load times
instances is the demand. Two windows are looked at: the stable one says what is lasting, the panic
one what is sudden. Source: Knative's autoscaler, and the tolerance of the Kubernetes HPA.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

STABLE_SECONDS = 300.0
PANIC_SECONDS = 30.0
PANIC = 2.0  # so many times what runs, and it is one
TOLERANCE = 0.1  # of the target; a load so near to it changes nothing
SETTLE_SECONDS = 60.0  # after a change, before another one up that is no panic
MOST_LOAD = 4.0  # what is measured beyond says no more than that it is far too much


@dataclass(frozen=True, slots=True)
class Bounds:
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Sample:
    time: float  # Unix seconds
    load: float  # 1.0: at the target
    instances: int  # that it was measured at


@dataclass(frozen=True, slots=True)
class Decision:
    instances: int
    why: str = ""  # empty: nothing changes


def decide(
    bounds: Bounds, current: int, samples: Sequence[Sample], changed_at: float, now: float
) -> Decision:
    """changed_at: when the number was last changed; nought if never.

    Up at once in a panic, else up when a minute has passed since the last change, and down when
    the whole stable window has, by half at most.
    """
    inside = min(max(current, bounds.low), bounds.high)
    if inside != current:
        return Decision(inside, f"outside of {bounds.low} to {bounds.high}")
    panic = _demand(samples, now - PANIC_SECONDS)
    since = now - changed_at
    if panic is not None and panic >= PANIC * current:
        wanted = min(math.ceil(panic), bounds.high)
        return _to(wanted, current, panic / current, PANIC_SECONDS)
    stable = _demand(samples, now - min(STABLE_SECONDS, max(since, PANIC_SECONDS)))
    if stable is None or panic is None or abs(stable / current - 1) <= TOLERANCE:
        return Decision(current)
    if stable > current and since >= SETTLE_SECONDS:
        return _to(min(math.ceil(stable), bounds.high), current, stable / current, STABLE_SECONDS)
    if stable < current and since >= STABLE_SECONDS:
        lasting = max(stable, panic)  # what rises again must not be scaled down
        least = max(bounds.low, math.ceil(current / 2), math.ceil(lasting))
        return _to(min(least, current), current, stable / current, STABLE_SECONDS)
    return Decision(current)


def _demand(samples: Sequence[Sample], since: float) -> float | None:
    """The mean of what the samples ask for; None without any."""
    asked = [min(s.load, MOST_LOAD) * s.instances for s in samples if s.time > since]
    return sum(asked) / len(asked) if asked else None


def _to(wanted: int, current: int, load: float, seconds: float) -> Decision:
    if wanted == current:
        return Decision(current)
    return Decision(wanted, f"{load:.0%} of the target over {seconds:.0f} s")
