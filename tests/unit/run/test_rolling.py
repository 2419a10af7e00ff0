"""How a release takes over: in one step, in batches, or after the old one's end."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from unit.run.world import World, group, serving

from hythe.process_settings import ALL_AT_ONCE, ProcessSettings
from hythe.run import actions as do
from hythe.run.desired import BOTH, WAIT, Desired

AMOUNTS = st.one_of(st.integers(0, 5), st.sampled_from(["0%", "25%", "50%", "100%"]))
RULES = st.builds(ProcessSettings, surge=AMOUNTS, min_healthy=AMOUNTS, batch=AMOUNTS)


def deploying(rules: ProcessSettings, web: int, **more: ProcessSettings) -> World:
    settings: dict[str, object] = {"web": rules, **more}
    world = serving(settings, web=web, **dict.fromkeys(more, 1))
    new = group(2, settings, web=web, **dict.fromkeys(more, 1))
    world.desired = replace(world.desired, rolling=new)
    return world


def up(world: World) -> int:
    return sum(slot.state == "up" for slot in world.desired.slots)


@given(RULES, st.integers(1, 5), st.data())
def test_never_too_few_answer_nor_too_many_run_and_it_ends(
    rules: ProcessSettings, web: int, data: st.DataObject
) -> None:
    world = deploying(rules, web)
    most = web + max(rules.most_beside(web), 1)
    for turn in range(200):
        if world.desired.rolling is None:
            break
        world.turn()
        assert len(world.routed()) >= rules.fewest_up(web) or not rules.most_beside(web)
        assert len(world.routed()) >= min(rules.fewest_up(web), web)
        active = [slot for slot in world.desired.slots if slot.state != "draining"]
        assert len(active) <= max(most, web)
        starting = {slot.id for slot in active if slot.state == "starting"}
        assert len(starting) <= rules.at_a_time(web)
        lucky = data.draw(st.booleans()) or turn > 100
        world.answers |= starting if lucky else set()
    assert world.desired.rolling is None
    for _ in range(3):
        world.turn()
    assert {slot.deployment_id for slot in world.desired.slots} == {2}
    assert up(world) == web
    assert world.turn() == ()


@given(RULES, st.integers(1, 5), st.integers(1, 20))
def test_a_rollout_that_fails_in_the_middle_gives_all_back(
    rules: ProcessSettings, web: int, turns: int
) -> None:
    world = deploying(rules, web)
    for turn in range(turns):
        if turn % 3 == 0:
            world.answers |= {slot.id for slot in world.desired.slots}
        if world.desired.rolling is None or world.desired.serving == world.desired.rolling:
            return
        world.turn()
    if world.desired.rolling is None or world.desired.serving == world.desired.rolling:
        return
    world.fail()
    for _ in range(20):
        assert len(world.routed()) >= rules.fewest_up(web)
        world.answers |= {slot.id for slot in world.desired.slots}
        world.turn()
    assert {slot.deployment_id for slot in world.desired.slots} == {1}
    assert up(world) == web


def test_batches_share_the_traffic_and_the_default_does_not() -> None:
    world = deploying(ProcessSettings(surge=1), 3)
    while world.desired.rolling is not None and not world.desired.rolling.sharing:
        world.answers |= {slot.id for slot in world.desired.slots}
        world.turn()
    assert world.done[-1] == do.Enter(2, BOTH) or do.Enter(2, BOTH) in world.done
    whole = deploying(ProcessSettings(), 3)
    while whole.desired.rolling is not None:
        whole.answers |= {slot.id for slot in whole.desired.slots}
        whole.turn()
    assert not any(isinstance(action, do.Enter) for action in whole.done)


def test_an_old_release_that_is_down_does_not_hold_up_its_replacement() -> None:
    world = deploying(ProcessSettings(surge=1), 2)
    slots = tuple(replace(s, state="starting", started_at=world.now) for s in world.desired.slots)
    world.desired = replace(world.desired, slots=slots)
    world.answers.clear()
    for _ in range(20):
        world.answers |= {slot.id for slot in world.desired.slots if slot.deployment_id == 2}
        world.turn()
    assert {slot.deployment_id for slot in world.desired.slots} == {2}


@given(st.integers(1, 3), st.booleans())
def test_all_at_once_never_overlaps(web: int, fails: bool) -> None:
    world = deploying(ProcessSettings(strategy=ALL_AT_ONCE), web)
    for turn in range(30):
        assert len({slot.deployment_id for slot in world.desired.slots}) <= 1
        if fails and turn == 5 and world.desired.rolling is not None:
            assert world.desired.rolling.sharing == WAIT
            world.fail()
        if not fails or turn > 5:
            world.answers |= {slot.id for slot in world.desired.slots}
        world.turn()
    assert {slot.deployment_id for slot in world.desired.slots} == {1 if fails else 2}
    assert up(world) == web


def test_a_worker_that_must_not_overlap_waits_for_web_to_be_up() -> None:
    world = deploying(ProcessSettings(), 2, worker=ProcessSettings(strategy=ALL_AT_ONCE))
    for _ in range(4):
        world.turn()
    kinds = {(slot.deployment_id, slot.process) for slot in world.desired.slots}
    assert kinds == {(1, "web"), (1, "worker"), (2, "web")}
    for _ in range(20):
        world.answers |= {slot.id for slot in world.desired.slots}
        workers = {s.deployment_id for s in world.desired.slots if s.process == "worker"}
        assert len(workers) <= 1
        assert world.desired.rolling is None or world.desired.rolling.sharing == ""
        world.turn()
    assert {slot.deployment_id for slot in world.desired.slots} == {2}


def test_a_first_deploy_needs_no_sharing() -> None:
    for strategy in (ALL_AT_ONCE, "rolling"):
        rules = {"web": ProcessSettings(strategy=strategy, surge=1)}
        world = World(Desired(1, "shop", False, None, group(1, dict(rules), web=2)))
        for _ in range(6):
            world.answers |= {slot.id for slot in world.desired.slots}
            world.turn()
        assert world.desired.rolling is None
        assert not any(isinstance(action, do.Enter) for action in world.done)
