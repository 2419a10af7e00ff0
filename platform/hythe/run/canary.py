"""Whether a release that has a share of the requests does as well as the one before. Pure."""

from collections.abc import Mapping
from datetime import datetime

from hythe.process_settings import CANARY, ProcessSettings
from hythe.run.desired import WEB, Desired, Group
from hythe.run.traffic import Traffic

NOISE = 0.025  # seconds; a p95 that is slower by less is not slower


def tries(desired: Desired, new: Group) -> bool:
    """Whether the new release gets a share first: there is one to compare it with."""
    old = desired.serving
    return (
        not new.promoted
        and old is not None
        and new.rules(WEB).strategy == CANARY
        and new.quantities.get(WEB, 0) > 0
        and any(
            slot.state == "up" and slot.process == WEB and slot.deployment_id == old.deployment_id
            for slot in desired.slots
        )
    )


def seconds_left(new: Group, now: datetime) -> float:
    since = new.sharing_since or now
    return new.rules(WEB).canary_time - (now - since).total_seconds()


def fault(desired: Desired, new: Group, watched: Mapping[str, Traffic]) -> str | None:
    """What is worse than with the release before; None when nothing is, or too little is known."""
    rules, tried, before = new.rules(WEB), _of(new, watched), _of(desired.serving, watched)
    if tried.requests < rules.canary_requests:
        return None
    if _rate(tried) > _rate(before) + rules.canary_errors / 100:
        return f"failed too many requests: {compared(desired, new, watched)}"
    return _slowness(rules, tried, before, compared(desired, new, watched))


def _slowness(rules: ProcessSettings, tried: Traffic, before: Traffic, said: str) -> str | None:
    if before.requests < rules.canary_requests:
        return None
    new_p95, old_p95 = tried.quantile(0.95), before.quantile(0.95)
    if new_p95 > old_p95 * rules.canary_p95 / 100 and new_p95 - old_p95 > NOISE:
        return f"answers too slowly: {said}"
    return None


def compared(desired: Desired, new: Group, watched: Mapping[str, Traffic]) -> str:
    """Both releases, in one line."""
    parts = [_line(new, _of(new, watched))]
    if desired.serving is not None:
        parts.append(_line(desired.serving, _of(desired.serving, watched)))
    return "; ".join(parts)


def _line(group: Group, traffic: Traffic) -> str:
    return (
        f"v{group.version} {traffic.requests:,} requests, {_rate(traffic):.1%} failed, "
        f"p95 {traffic.quantile(0.95) * 1000:.0f} ms"
    )


def _of(group: Group | None, watched: Mapping[str, Traffic]) -> Traffic:
    return watched.get(f"v{group.version}", Traffic()) if group is not None else Traffic()


def _rate(traffic: Traffic) -> float:
    return traffic.failed / traffic.requests if traffic.requests else 0.0
