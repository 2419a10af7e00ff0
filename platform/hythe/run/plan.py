"""The plan: what to do next, as a pure function of (desired, observed, now).

Nothing here reads a clock, a socket or a row. The same input gives the same actions in the same
order; at the fixed point there are none. Every action is safe to repeat, so a control plane that is
killed after any of them goes on with the next pass.
"""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hythe.engine.port import Container
from hythe.process_settings import CANARY
from hythe.run import canary, rolling
from hythe.run.actions import (
    Action,
    Create,
    Drain,
    EndSwitch,
    Erase,
    Fail,
    ForgetCrashes,
    Halt,
    MarkRestarted,
    MarkReturned,
    MarkSick,
    MarkUp,
    Park,
    RemoveStray,
    Start,
    Stop,
    Tend,
    Watch,
)
from hythe.run.desired import WEB, Desired, Group, Slot
from hythe.run.observe import Observed

CRASHES_BEFORE_PARKING = 3
CRASHES_THAT_FAIL_A_ROLLOUT = 3
HEALTHY_RESET_SECONDS = 60.0  # after this long, earlier crashes are forgotten
LONGEST_PARKING = 300.0
ASK_SECONDS = 30.0  # for a control plane that was away to ask, before silence is a failure
COUNTED_SECONDS = 4.0  # from the cut-over on; a request that waited for it has ended and is told
CANARY_LOOK_SECONDS = 1.0  # routers report as often
RESTARTING = ("pending", "starting", "crashed")


@dataclass(frozen=True, slots=True)
class Plan:
    actions: tuple[Action, ...]
    again_in: float | None = None  # seconds until something is due without an event


def plan(desired: Desired, observed: Observed, now: datetime, drain_timeout: float) -> Plan:
    """What to do for one app."""
    failed = _failure(desired, observed, now)
    if failed is not None:
        return Plan((failed,))
    counts = list(rolling.changes(desired))
    drained = {action.slot_id for action in counts if isinstance(action, Drain)}
    staying = list(_staying(desired, observed, now, drained))
    ready = {action.slot_id for action in staying if isinstance(action, MarkUp)}
    actions = [
        *(RemoveStray(stray.id) for stray in observed.strays),
        *_leaving(desired, observed, now, drain_timeout),
        *staying,
        *_with_starts(counts, observed.free_starts - sum(isinstance(a, Start) for a in staying)),
        *rolling.progress(desired, observed, ready, now),
    ]
    if desired.destroyed and not desired.slots and not observed.strays:
        actions.append(Erase())
    if _switch_is_over(desired, now) and desired.serving is not None:
        actions.append(EndSwitch(desired.serving.deployment_id))
    return Plan(tuple(actions), _next_look(desired, observed, now, drain_timeout))


def _member(desired: Desired, slot: Slot) -> Group | None:
    for group in desired.groups:
        if group.deployment_id == slot.deployment_id:
            return group
    return None


def _failure(desired: Desired, observed: Observed, now: datetime) -> Fail | None:
    """The first reason why the rolling deployment will not become healthy."""
    group = desired.rolling
    if group is None or desired.destroyed or rolling.switched(desired):
        return None
    for slot in desired.slots:
        if slot.deployment_id != group.deployment_id or slot.state not in ("starting", "up"):
            continue
        container = observed.containers.get(slot.id)
        ends = slot.crashes
        if container is not None and container.restart_count > slot.restarts:
            ends += container.restart_count - slot.restarts
        if ends >= CRASHES_THAT_FAIL_A_ROLLOUT:
            status = container.exit_code if container is not None else None
            said = f"exited {ends} times" + (f" with {status}" if status is not None else "")
            return Fail(group.deployment_id, "H10", slot.id, said)
        answer = observed.answers.get(slot.id)
        if slot.state == "starting" and slot.asked and not (answer and answer.ready):
            booting = (now - slot.started_at).total_seconds() if slot.started_at else 0.0
            most = group.rules(slot.process).boot_timeout or group.boot_timeout
            if booting > most + (ASK_SECONDS if answer is None else 0):
                code = "R10" if answer is None or answer.unheard else "unhealthy"
                said = answer.said if answer else "gave no answer"
                return Fail(group.deployment_id, code, slot.id, said)
    return _canary_failure(desired, group, observed)


def _canary_failure(desired: Desired, group: Group, observed: Observed) -> Fail | None:
    if group.sharing != CANARY or group.promoted:
        return None
    said = canary.fault(desired, group, observed.watched)
    mine = [s.id for s in desired.slots if s.deployment_id == group.deployment_id]
    return Fail(group.deployment_id, "canary", mine[0], said) if said and mine else None


def _leaving(
    desired: Desired, observed: Observed, now: datetime, drain_timeout: float
) -> Iterator[Action]:
    for slot in desired.slots:
        if slot.state != "draining":
            if _member(desired, slot) is None and rolling.may_leave(desired, slot):
                yield Drain(slot.id)
        elif drained(slot, observed, now, drain_timeout):
            yield Stop(slot.id)


def drained(slot: Slot, observed: Observed, now: datetime, drain_timeout: float) -> bool:
    """Whether nobody can send to it any more, and its requests are done or out of time."""
    if slot.process != WEB or slot.ready_at is None:
        return True  # it was never in a table
    if slot.left is None or not observed.reached(slot.left):
        return False
    if slot.id not in observed.containers:
        return True
    waited = (now - slot.draining_at).total_seconds() if slot.draining_at else 0.0
    limit = drain_limit(slot, drain_timeout)
    return observed.in_flight.get(f"i{slot.id}", 0) == 0 or waited >= limit


def drain_limit(slot: Slot, drain_timeout: float) -> float:
    own = slot.rules.drain_timeout
    return drain_timeout if own is None else own


def _staying(
    desired: Desired, observed: Observed, now: datetime, drained: Set[int]
) -> Iterator[Action]:
    starts = observed.free_starts
    away = {(s.deployment_id, s.process) for s in desired.slots if s.state in RESTARTING}
    for slot in desired.slots:
        if slot.state == "draining" or slot.id in drained or _member(desired, slot) is None:
            continue
        container = observed.containers.get(slot.id)
        if slot.state == "pending" or container is None or container.state == "created":
            if starts > 0:
                starts -= 1
                yield Start(slot.id)
        elif container.state == "running" and container.address != slot.address:
            yield RemoveStray(container.id)  # somebody cut it off from its network
        elif slot.state == "crashed":
            yield from _parked(slot, container, now)
        else:
            for action in _started(slot, container, observed, now):
                if not isinstance(action, MarkSick):
                    yield action
                elif (slot.deployment_id, slot.process) not in away:  # one of them at a time
                    away.add((slot.deployment_id, slot.process))
                    yield action


def _parked(slot: Slot, container: Container, now: datetime) -> Iterator[Action]:
    if container.state in ("running", "restarting"):
        yield Halt(slot.id)
    elif slot.retry_at is None or slot.retry_at <= now:
        yield Start(slot.id)


def _started(
    slot: Slot, container: Container, observed: Observed, now: datetime
) -> Iterator[Action]:
    """An instance whose container was started: did it end meanwhile?"""
    if container.restart_count > slot.restarts:
        yield _crashed(slot, container, now)
    elif _was_restarted(slot, container):
        yield _returned(slot, container, observed)
    elif (sick := _sick(slot, observed, now)) is not None:
        yield sick
    elif container.state in ("exited", "dead"):
        # The engine does not restart it: somebody stopped it, or the engine was restarted.
        yield Start(slot.id)
    else:
        yield from _progress(slot, observed, now)


def _was_restarted(slot: Slot, container: Container) -> bool:
    """Whether the process that was found ready is not the one that runs now."""
    if slot.state != "up" or slot.ready_at is None or container.started_at is None:
        return False
    return container.started_at > slot.ready_at.timestamp()


def _returned(
    slot: Slot, container: Container, observed: Observed
) -> Watch | MarkReturned | MarkRestarted:
    """The engine brought it back when it was itself restarted; it counts from nought then.

    Routers may have sent it requests all the while, so it leaves the table only if it does not
    answer.
    """
    answer = observed.answers.get(slot.id)
    if slot.asked and answer is None:
        return Watch(slot.id)
    if slot.asked and answer is not None and answer.ready:
        return MarkReturned(slot.id, container.restart_count)
    return MarkRestarted(slot.id, slot.crashes, container.restart_count, container.exit_code)


def _crashed(slot: Slot, container: Container, now: datetime) -> MarkRestarted | Park:
    """The engine restarted it: count that, and park it when it does nothing but crash."""
    crashes = slot.crashes + container.restart_count - slot.restarts
    if crashes < CRASHES_BEFORE_PARKING:
        return MarkRestarted(
            slot.id, crashes, container.restart_count, container.exit_code, container.oom_killed
        )
    pause = min(2.0 ** min(crashes - CRASHES_BEFORE_PARKING, 20), LONGEST_PARKING)
    until = now + timedelta(seconds=pause)
    return Park(slot.id, crashes, until, container.exit_code, container.oom_killed)


def _sick(slot: Slot, observed: Observed, now: datetime) -> MarkSick | None:
    """An instance that is up, runs, and fails its check again and again."""
    life = observed.lives.get(slot.id)
    if slot.state != "up" or slot.liveness is None or life is None:
        return None
    if life.failures < slot.liveness.attempts:
        return None
    crashes = slot.crashes + 1
    pause = min(2.0 ** min(crashes - 1, 20), LONGEST_PARKING)
    return MarkSick(slot.id, crashes, now + timedelta(seconds=pause), life.said)


def _progress(slot: Slot, observed: Observed, now: datetime) -> Iterator[Action]:
    """A running instance: is it up, and has it been for long?"""
    if slot.state == "starting" and slot.asked:
        answer = observed.answers.get(slot.id)
        if answer is not None and answer.ready:
            yield MarkUp(slot.id, answer.said)
        else:
            yield Watch(slot.id)
    elif slot.state == "starting":
        ran = (now - slot.started_at).total_seconds() if slot.started_at else 0.0
        if ran >= slot.settles:
            yield MarkUp(slot.id, "is running")
    elif slot.liveness is not None and slot.id not in observed.lives:
        yield Tend(slot.id)
    elif slot.crashes and _healthy_for(slot, now) >= HEALTHY_RESET_SECONDS:
        yield ForgetCrashes(slot.id)


def _healthy_for(slot: Slot, now: datetime) -> float:
    return (now - slot.ready_at).total_seconds() if slot.ready_at else 0.0


def _with_starts(actions: Iterable[Action], free: int) -> Iterator[Action]:
    """Let the first new instances start at once, as many as may."""
    for action in actions:
        if isinstance(action, Create) and free > 0:
            free -= 1
            action = replace(action, start=True)
        yield action


def _switch_is_over(desired: Desired, now: datetime) -> bool:
    """Whether nothing is left of the deployments before, and routers have told their last."""
    if desired.counting is None or desired.serving is None or desired.rolling or desired.destroyed:
        return False
    if (now - desired.counting).total_seconds() < COUNTED_SECONDS:
        return False
    serving_id = desired.serving.deployment_id
    return all(slot.deployment_id == serving_id for slot in desired.slots)


def _next_look(
    desired: Desired, observed: Observed, now: datetime, drain_timeout: float
) -> float | None:
    """When something falls due although nothing happens: timeouts, back-off, settling."""
    looks = (_slot_look(slot, observed, now, drain_timeout) for slot in desired.slots)
    due = [look for look in looks if look is not None]
    if desired.counting is not None:
        due.append(COUNTED_SECONDS)
    if rolling.switched(desired):
        due.append(0.5)
    elif desired.rolling is not None and desired.rolling.sharing == CANARY:
        due.append(CANARY_LOOK_SECONDS)
    return min(due) if due else None


def _slot_look(slot: Slot, observed: Observed, now: datetime, drain_timeout: float) -> float | None:
    container = observed.containers.get(slot.id)
    if slot.state == "starting":
        return 1.0 if slot.asked else 0.25
    if slot.state == "draining":
        return _drain_look(slot, observed, now, drain_timeout)
    if slot.state == "crashed" and slot.retry_at is not None:
        return max(0.1, (slot.retry_at - now).total_seconds())
    if slot.state == "pending":
        return 0.25
    if container is not None and _was_restarted(slot, container):
        return 0.1
    return HEALTHY_RESET_SECONDS if slot.crashes else None


def _drain_look(slot: Slot, observed: Observed, now: datetime, drain_timeout: float) -> float:
    """Routers and finished stops announce themselves; the drain limit does not."""
    if drained(slot, observed, now, drain_timeout):
        return 5.0
    waited = (now - slot.draining_at).total_seconds() if slot.draining_at else 0.0
    return min(1.0, max(0.05, drain_limit(slot, drain_timeout) - waited))
