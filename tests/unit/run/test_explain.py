"""What is said of a plan: every action and every wait has words."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from unit.run.test_rolling import RULES, deploying
from unit.run.world import World

from hythe.process_settings import ALL_AT_ONCE, ProcessSettings
from hythe.run.explain import Explanation, explain
from hythe.run.health import Answer
from hythe.run.plan import plan

DRAIN = 30.0


def explained(world: World, **seen: object) -> Explanation:
    look = replace(world.look(), **seen)  # type: ignore[arg-type]
    steps = plan(world.desired, look, world.now, DRAIN)
    return explain(world.desired, look, steps, world.now, DRAIN)


@given(RULES, st.sampled_from(["rolling", ALL_AT_ONCE]), st.integers(1, 4), st.data())
def test_every_step_of_any_deploy_has_words(
    rules: ProcessSettings, strategy: str, web: int, data: st.DataObject
) -> None:
    world = deploying(replace(rules, strategy=strategy), web)
    for turn in range(40):
        said = explained(world)
        assert len(said.next) == len(world.turn())
        assert all(line.endswith(".") for line in said.next + said.waits)
        if data.draw(st.booleans()) or turn > 20:
            world.answers |= {slot.id for slot in world.desired.slots}
    final = explained(world)
    assert (final.next, final.waits) == ((), ())
    assert final.wants == (f"v2 serves: web={web}",)


def test_a_rollout_that_hangs_says_what_it_waits_for() -> None:
    world = deploying(ProcessSettings(), 2)
    for _ in range(3):
        world.turn()
    new = [slot for slot in world.desired.slots if slot.deployment_id == 2]
    refused = Answer(None, "refuses connections on port 5000")
    said = explained(world, answers={new[0].id: refused})
    assert said.wants == ("v1 serves: web=2", "v2 takes over: web=2")
    assert "web.1 is starting; its container is running; it refuses connections on port 5000" in (
        said.sees
    )
    assert "v2 takes over when web=2 are up; 0 are." in said.waits
    assert any("It refuses connections on port 5000." in line for line in said.waits)


def test_a_drain_says_how_many_requests_are_open() -> None:
    world = deploying(ProcessSettings(), 1)
    while not any(slot.state == "draining" for slot in world.desired.slots):
        world.answers |= {slot.id for slot in world.desired.slots}
        world.turn()
    old = next(slot for slot in world.desired.slots if slot.state == "draining")
    world.now = (old.draining_at or world.now) + timedelta(seconds=10)
    said = explained(world, in_flight={f"i{old.id}": 2})
    assert said.waits[0] == "web.1 has 2 requests in flight, and 20 s for them."
