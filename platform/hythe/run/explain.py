"""What the loop wants of an app, sees, will do next and why, in words. Pure, as the plan is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from hythe.process_settings import CANARY
from hythe.run import actions as do
from hythe.run import canary, rolling
from hythe.run.desired import BOTH, WAIT, Desired, Group, Slot
from hythe.run.observe import Observed
from hythe.run.plan import Plan, drain_limit, drained


@dataclass(frozen=True, slots=True)
class Explanation:
    """Lines; `again_in` is after how many seconds the loop looks again without an event."""

    wants: tuple[str, ...]
    sees: tuple[str, ...]
    next: tuple[str, ...]
    waits: tuple[str, ...]
    again_in: float | None


def explain(
    desired: Desired, observed: Observed, plan: Plan, now: datetime, drain_timeout: float
) -> Explanation:
    """`plan` is what plan() made of the same values."""
    slots = {slot.id: slot for slot in desired.slots}
    return Explanation(
        wants=tuple(_wants(desired)),
        sees=tuple(_sees(desired, observed)),
        next=tuple(_said(action, desired, observed, slots) for action in plan.actions),
        waits=tuple(_waits(desired, observed, now, drain_timeout)),
        again_in=plan.again_in,
    )


def _wants(desired: Desired) -> Iterator[str]:
    if desired.destroyed:
        yield "Nothing: the app is being destroyed."
        return
    if not desired.groups:
        yield "Nothing: there is no release yet."
    counts = rolling.counts(desired)
    for group in desired.groups:
        taking = (
            desired.serving is not None and group.deployment_id == desired.serving.deployment_id
        )
        does = "serves" if taking else _role(group)
        wanted = (
            " ".join(f"{kind}={count}" for kind, count in group.quantities.items()) or "nothing"
        )
        line = f"v{group.version} {does}: {wanted}"
        now = {kind: counts[group.deployment_id, kind] for kind in group.quantities}
        if now != dict(group.quantities):
            line += f"; for now {' '.join(f'{kind}={count}' for kind, count in now.items())}"
        yield line


def _role(group: Group) -> str:
    shares = {
        BOTH: ", and has part of the requests",
        WAIT: ", and requests wait for it",
        CANARY: " as a canary, with a share of the requests",
    }
    return f"takes over{shares.get(group.sharing, '')}"


def _sees(desired: Desired, observed: Observed) -> Iterator[str]:
    for slot in desired.slots:
        container = observed.containers.get(slot.id)
        line = f"{_name(slot)} is {slot.state}; "
        line += f"its container is {container.state}" if container else "it has no container"
        answer, life = observed.answers.get(slot.id), observed.lives.get(slot.id)
        if answer is not None and answer.said:
            line += f"; it {answer.said}"
        elif life is not None and life.failures:
            line += f"; it {life.said}, {life.failures} times in a row"
        if open_requests := observed.in_flight.get(f"i{slot.id}", 0):
            line += f"; {open_requests} requests in flight"
        yield line
    for stray in observed.strays:
        yield f"{stray.name} is a container of no instance"
    if observed.acked is None:
        yield "No router is connected."
    elif not observed.reached(observed.published):
        yield f"Routers have table {_version(observed.acked)} of {_version(observed.published)}."


def _said(action: do.Action, desired: Desired, observed: Observed, slots: dict[int, Slot]) -> str:
    match action:
        case do.Create(deployment_id, process, index):
            group = next(g for g in desired.groups if g.deployment_id == deployment_id)
            wanted = rolling.counts(desired)[deployment_id, process]
            here = sum(
                s.deployment_id == deployment_id and s.process == process and s.state != "draining"
                for s in slots.values()
            )
            return f"Create {process}.{index} of v{group.version}: {here} of {wanted} are there."
        case do.RemoveStray(container_id):
            return f"Remove container {container_id[:12]}: no instance has it."
        case do.Enter(_, sharing):
            return _SHARES.get(sharing, f"Share the requests: {sharing}.")
        case do.Switch(_, said) if said:
            return f"Give all of the traffic to v{_rolling(desired)}: {said}."
        case do.Switch():
            return f"Give the traffic to v{_rolling(desired)}: all of its instances are up."
        case do.Finish():
            return f"Call v{_rolling(desired)} live: every router has the table."
        case do.EndSwitch():
            return "Store what the switch cost: nothing is left of the release before."
        case do.Erase():
            return "Erase the app: none of its instances is left."
        case do.Fail(_, code, slot_id, said):
            return f"Give up v{_rolling(desired)} ({code}): {_name(slots[slot_id])} {said}."
        case _:
            return _about(action, slots[action.slot_id], desired, observed)


_SHARES = {
    BOTH: "Let both releases answer: a new instance is up.",
    WAIT: "Let requests wait: the old instances end before the new ones start.",
    CANARY: "Give the new release its share of the requests: all of its instances are up.",
}


def _about(action: do.Action, slot: Slot, desired: Desired, observed: Observed) -> str:
    """An action on one instance."""
    name = _name(slot)
    match action:
        case do.Start():
            return f"Start {name}: {_why_start(slot, observed)}."
        case do.Watch():
            return f"Ask {name} whether it is ready."
        case do.Tend():
            return f"Ask {name} from now on whether it is well."
        case do.MarkUp(_, said):
            return f"Count {name} as up: it {said}."
        case do.MarkSick(_, _, _, said):
            return f"Restart {name}: it {said}, again and again."
        case do.Drain():
            mine = slot.deployment_id in {group.deployment_id for group in desired.groups}
            why = "fewer are wanted now" if mine else "its release should not run any more"
            return f"Take {name} out of the route table: {why}."
        case do.Stop():
            return f"Stop {name}: nobody sends to it, and its requests are done or out of time."
        case _:
            return _about_crashes(action, name)


def _about_crashes(action: do.Action, name: str) -> str:
    match action:
        case do.MarkRestarted():
            return f"Take {name} out until it is ready again: its process was restarted."
        case do.MarkReturned():
            return f"Keep {name}: the engine brought it back, and it answers."
        case do.Park(_, crashes):
            return f"Leave {name} stopped for a while: it crashed {crashes} times in a row."
        case do.Halt():
            return f"Stop the container of {name}: it is parked."
        case do.ForgetCrashes():
            return f"Forget the crashes of {name}: it has been well for long."
    raise AssertionError(action)


def _why_start(slot: Slot, observed: Observed) -> str:
    container = observed.containers.get(slot.id)
    if slot.state == "pending":
        return "it is new"
    if container is None:
        return "its container is gone"
    if slot.state == "crashed":
        return "its pause is over"
    return f"its container is {container.state}"


def _waits(
    desired: Desired, observed: Observed, now: datetime, drain_timeout: float
) -> Iterator[str]:
    for slot in desired.slots:
        if slot.state == "draining":
            yield _drain(slot, observed, now, drain_timeout)
        elif line := _slot_waits(slot, observed, now):
            yield line
    group = desired.rolling
    if group is None:
        return
    if rolling.switched(desired):
        if not observed.reached(observed.published):
            yield "Every router has to say that it has the new table."
        return
    yield from _missing(desired, group)
    if group.sharing == CANARY:
        left = max(0.0, canary.seconds_left(group, now))
        said = canary.compared(desired, group, observed.watched)
        yield f"The canary is watched for {left:.0f} s more: {said}."


def _slot_waits(slot: Slot, observed: Observed, now: datetime) -> str:
    """What an instance has to do before it is up; "" when nothing."""
    name = _name(slot)
    ran = (now - slot.started_at).total_seconds() if slot.started_at else 0.0
    if slot.state == "pending" and observed.free_starts <= 0:
        return f"{name} waits for a place among those that boot (HYTHE_PARALLEL_STARTS)."
    if slot.state == "starting" and slot.asked:
        answer = observed.answers.get(slot.id)
        said = f" It {answer.said}." if answer and answer.said else ""
        return f"{name} has to answer; it was started {ran:.0f} s ago.{said}"
    if slot.state == "starting":
        return f"{name} has to run for {slot.settles:g} s."
    if slot.state == "crashed" and slot.retry_at is not None and slot.retry_at > now:
        left = (slot.retry_at - now).total_seconds()
        return f"{name} is started again in {left:.0f} s; {slot.crashes} failures in a row."
    return ""


def _drain(slot: Slot, observed: Observed, now: datetime, drain_timeout: float) -> str:
    name = _name(slot)
    if drained(slot, observed, now, drain_timeout):
        return f"{name} is being stopped."
    if slot.left is None or not observed.reached(slot.left):
        return f"{name} leaves when every router has a table without it."
    waited = (now - slot.draining_at).total_seconds() if slot.draining_at else 0.0
    left = drain_limit(slot, drain_timeout) - waited
    open_requests = observed.in_flight.get(f"i{slot.id}", 0)
    return f"{name} has {open_requests} requests in flight, and {left:.0f} s for them."


def _missing(desired: Desired, group: Group) -> Iterator[str]:
    for process, wanted in group.quantities.items():
        up = sum(
            slot.state == "up" and slot.process == process
            for slot in desired.slots
            if slot.deployment_id == group.deployment_id
        )
        if up < wanted:
            yield f"v{group.version} takes over when {process}={wanted} are up; {up} are."


def _name(slot: Slot) -> str:
    return f"{slot.name} of v{slot.version}" if slot.version else slot.name


def _rolling(desired: Desired) -> int:
    return desired.rolling.version if desired.rolling else 0


def _version(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
