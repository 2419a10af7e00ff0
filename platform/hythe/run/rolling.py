"""How a release takes the place of the one before, by the settings of each process type. Pure.

- `rolling` with room for all new instances beside the old (the default): the traffic moves at once
  when all of them are up.
- `rolling` with less room: batch by batch. Both releases have traffic meanwhile (`both`), and an
  old instance leaves when the fewest that have to be up are so without it.
- `all-at-once`: when the other process types are up, the old instances end, then the new ones
  start. Requests wait meanwhile (`wait`).
- `canary`: when all new instances are up, a share of the requests goes to them for a while, and the
  routers' counts of both releases are compared (`canary`).
"""

from collections.abc import Iterator, Set
from datetime import datetime

from hythe.process_settings import ALL_AT_ONCE, CANARY, ProcessSettings
from hythe.run import canary
from hythe.run.actions import Action, Create, Drain, Enter, Finish, Switch
from hythe.run.desired import BOTH, WAIT, WEB, Desired, Group, Slot
from hythe.run.observe import Observed

Counts = dict[tuple[int, str], int]
"""{(deployment, process type): instances that it should have now}"""


def switched(desired: Desired) -> bool:
    """Whether the rolling deployment has the traffic."""
    return (
        desired.rolling is not None
        and desired.serving is not None
        and desired.serving.deployment_id == desired.rolling.deployment_id
    )


def changes(desired: Desired) -> Iterator[Action]:
    """What creates or drains instances, so that each group has as many as it should now."""
    wanted = counts(desired)
    for group in desired.groups:
        active = _active(desired, group)
        for process in sorted({slot.process for slot in active} | set(group.quantities)):
            count = wanted.get((group.deployment_id, process), 0)
            have = sorted(
                (slot for slot in active if slot.process == process),
                key=lambda slot: (_is_replaced(desired, group) and slot.state != "up", slot.index),
            )
            yield from (Drain(slot.id) for slot in have[count:])
            taken = {slot.index for slot in have}
            free = (index for index in range(1, count + len(taken) + 1) if index not in taken)
            for _ in range(count - len(have)):
                yield Create(group.deployment_id, process, next(free))


def counts(desired: Desired) -> Counts:
    """How many instances each group should have now."""
    wanted = {
        (group.deployment_id, process): count
        for group in desired.groups
        for process, count in group.quantities.items()
    }
    old, new = desired.serving, desired.rolling
    if old is not None and new is not None and not switched(desired):
        for process in new.quantities:
            _replace(desired, old, new, process, wanted)
    for group_id, process in wanted:
        wanted[group_id, process] = _without_overlap(
            desired, group_id, process, wanted[group_id, process]
        )
    return wanted


def _replace(desired: Desired, old: Group, new: Group, process: str, wanted: Counts) -> None:
    rules, count = new.rules(process), new.quantities[process]
    if rules.strategy == ALL_AT_ONCE:
        if _may_swap(desired, new) and (process != WEB or new.sharing == WAIT):
            wanted[old.deployment_id, process] = 0
        else:
            wanted[new.deployment_id, process] = 0
        return
    here = _active(desired, new, process)
    up = sum(slot.state == "up" for slot in here)
    if rules.most_beside(count) >= count or _is_canary(rules, process):
        begun = max(len(here), up + rules.at_a_time(count))
        wanted[new.deployment_id, process] = min(count, begun)
    else:
        if process == WEB and new.sharing != BOTH:
            up = 0  # nobody sends to them yet
        leavers = _active(desired, old, process)
        wanted[old.deployment_id, process] = len(leavers) - _leave(rules, count, leavers, here, up)
        room = min(up + rules.at_a_time(count), count + rules.most_beside(count) - len(leavers))
        wanted[new.deployment_id, process] = min(count, max(len(here), room))


def _is_canary(rules: ProcessSettings, process: str) -> bool:
    return rules.strategy == CANARY and process == WEB


def _leave(
    rules: ProcessSettings, count: int, old: list[Slot], new: list[Slot], new_up: int
) -> int:
    """How many of the old instances may leave now."""
    up = sum(slot.state == "up" for slot in old)
    surplus = len(old) + new_up - count
    full = len(old) + len(new) >= count + rules.most_beside(count)
    room = min(rules.at_a_time(count), count - len(new)) if full else 0
    spare = len(old) - up + max(0, up + new_up - rules.fewest_up(count))
    return max(0, min(max(surplus, room), spare, len(old)))


def _without_overlap(desired: Desired, group_id: int, process: str, count: int) -> int:
    """No new instances of a type that must not overlap while another deployment's are there."""
    others = [s for s in desired.slots if s.process == process and s.deployment_id != group_id]
    group = next(group for group in desired.groups if group.deployment_id == group_id)
    if not others or ALL_AT_ONCE not in {
        group.rules(process).strategy, *(slot.rules.strategy for slot in others)
    }:  # fmt: skip
        return count
    here = len(_active(desired, group, process))
    return min(count, here)


def _may_swap(desired: Desired, new: Group) -> bool:
    """Whether all is up that need not wait for the old instances' end."""
    return all(
        sum(slot.state == "up" for slot in _active(desired, new, process)) >= count
        for process, count in new.quantities.items()
        if new.rules(process).strategy != ALL_AT_ONCE
    )


def progress(
    desired: Desired, observed: Observed, ready: Set[int], now: datetime
) -> Iterator[Action]:
    """How far the rolling deployment is; `ready` are the instances that this plan marks as up."""
    group = desired.rolling
    if group is None or desired.destroyed:
        return
    if switched(desired):
        if observed.reached(observed.published):
            yield Finish(group.deployment_id)
        return
    up = [
        slot
        for slot in _active(desired, group)
        if (slot.state == "up" or slot.id in ready) and slot.id in observed.containers
    ]
    if all(
        sum(slot.process == process for slot in up) >= count
        for process, count in group.quantities.items()
    ):
        yield from _take_over(desired, observed, group, now)
        return
    sharing = _sharing(desired, group, any(slot.process == WEB for slot in up))
    if sharing != group.sharing:
        yield Enter(group.deployment_id, sharing)


def _take_over(
    desired: Desired, observed: Observed, group: Group, now: datetime
) -> Iterator[Action]:
    """All of its instances are up."""
    if group.sharing != CANARY:
        if canary.tries(desired, group):
            yield Enter(group.deployment_id, CANARY, group.rules(WEB).canary_share)
        else:
            yield Switch(group.deployment_id)
    elif group.promoted or canary.seconds_left(group, now) <= 0:
        yield Switch(group.deployment_id, canary.compared(desired, group, observed.watched))


def _sharing(desired: Desired, new: Group, answers: bool) -> str:
    """Who should get requests now; `answers`: a new web instance is up."""
    count = new.quantities.get(WEB, 0)
    if desired.serving is None or not count:
        return new.sharing
    rules = new.rules(WEB)
    if rules.strategy == ALL_AT_ONCE:
        return WAIT if _may_swap(desired, new) else new.sharing
    if _is_canary(rules, WEB):
        return new.sharing
    return BOTH if answers and rules.most_beside(count) < count else new.sharing


def may_leave(desired: Desired, slot: Slot) -> bool:
    """Whether an instance of no group any more need not serve until others are back.

    That is so for those of a release that had part of the traffic, and failed.
    """
    serving = desired.serving
    if desired.destroyed or serving is None or not slot.shared or slot.process != WEB:
        return True
    count = serving.quantities.get(WEB, 0)
    up = sum(other.state == "up" for other in _active(desired, serving, WEB))
    return slot.state != "up" or up >= serving.rules(WEB).fewest_up(count)


def _active(desired: Desired, group: Group, process: str | None = None) -> list[Slot]:
    return [
        slot
        for slot in desired.slots
        if slot.deployment_id == group.deployment_id
        and slot.state != "draining"
        and process in (None, slot.process)
    ]


def _is_replaced(desired: Desired, group: Group) -> bool:
    rolling = desired.rolling
    return rolling is not None and rolling.deployment_id != group.deployment_id
