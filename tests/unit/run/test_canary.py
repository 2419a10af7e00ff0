"""A share of the requests first: promoted, or given up, by what the routers counted."""

from dataclasses import replace
from datetime import timedelta

import pytest
from unit.run.test_rolling import deploying
from unit.run.world import World

from hythe.process_settings import CANARY, ProcessSettings
from hythe.run import actions as do
from hythe.run.traffic import Traffic

RULES = ProcessSettings(strategy=CANARY, canary_share=10, canary_time=300)


def trying(rules: ProcessSettings = RULES, web: int = 2) -> World:
    """A world in which v2 has its share."""
    world = deploying(rules, web)
    for _ in range(5):
        world.answers |= {slot.id for slot in world.desired.slots}
        world.turn()
    assert world.desired.rolling is not None
    assert world.desired.rolling.sharing == CANARY
    assert do.Enter(2, CANARY, 10) in world.done
    world.done.clear()
    return world


def traffic(requests: int, failed: int = 0, milliseconds: int = 10) -> Traffic:
    return Traffic(requests, failed, {}, {milliseconds * 1000: requests})


def test_a_canary_that_does_well_gets_all_when_its_time_is_over() -> None:
    world = trying()
    world.watched = {"v1": traffic(900), "v2": traffic(100)}
    world.turn()
    assert world.done == []
    world.now += timedelta(seconds=300)
    world.turn()
    said = "v2 100 requests, 0.0% failed, p95 10 ms; v1 900 requests, 0.0% failed, p95 10 ms"
    assert world.done == [do.Switch(2, said)]


def test_a_canary_without_a_request_gets_all_too() -> None:
    world = trying()
    world.now += timedelta(seconds=300)
    world.turn()
    assert [type(action) for action in world.done] == [do.Switch]


@pytest.mark.parametrize(
    ("before", "tried", "word"),
    [
        (traffic(900), traffic(100, 2), "failed"),
        (traffic(900, 90), traffic(100, 12), "failed"),
        (traffic(900), traffic(100, 0, 60), "slowly"),
        (traffic(900, 90), traffic(100, 10), None),  # as bad as before
        (traffic(900), traffic(100, 0, 19), None),
        (traffic(900), traffic(100, 0, 30), None),  # three times, but by 20 ms only
        (traffic(900), traffic(19, 19), None),  # too few to judge by
        (traffic(5), traffic(100, 0, 900), None),  # nothing to compare with
        (traffic(0), traffic(100, 50), "failed"),
    ],
)
def test_what_ends_a_canary(before: Traffic, tried: Traffic, word: str | None) -> None:
    world = trying()
    world.watched = {"v1": before, "v2": tried}
    world.turn()
    if word is None:
        assert world.done == []
        return
    (failed,) = world.done
    assert isinstance(failed, do.Fail)
    assert (failed.code, word in failed.said) == ("canary", True)
    for _ in range(5):
        world.turn()
    assert {slot.deployment_id for slot in world.desired.slots} == {1}


def test_somebody_may_promote_it_whatever_was_counted() -> None:
    world = trying()
    world.watched = {"v1": traffic(900), "v2": traffic(100, 50)}
    assert world.desired.rolling is not None
    world.desired = replace(world.desired, rolling=replace(world.desired.rolling, promoted=True))
    world.turn()
    assert [type(action) for action in world.done] == [do.Switch]


def test_a_canary_needs_a_release_that_answers() -> None:
    world = deploying(RULES, 1)
    crashed = replace(
        world.desired.slots[0], state="crashed", retry_at=world.now.replace(year=2030)
    )
    world.desired = replace(world.desired, slots=(crashed,))
    for _ in range(6):
        world.answers |= {slot.id for slot in world.desired.slots if slot.deployment_id == 2}
        world.turn()
    assert do.Enter(2, CANARY, 10) not in world.done
    assert do.Switch(2) in world.done
