"""The plan, as values: what follows from what is wanted and what is seen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hythe.engine.port import Container
from hythe.healthcheck import HealthCheck
from hythe.process_settings import ProcessSettings
from hythe.run import actions as do
from hythe.run.desired import Desired, Group, Slot
from hythe.run.health import Answer, Life
from hythe.run.observe import Observed
from hythe.run.plan import Plan, plan

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DRAIN = 30.0


def group(deployment: int = 1, version: int = 1, **quantities: int) -> Group:
    return Group(deployment, version, quantities or {"web": 1}, boot_timeout=60)


def slot(
    number: int = 1, deployment: int = 1, state: str = "up", process: str = "web", index: int = 1
) -> Slot:
    started = None if state == "pending" else NOW - timedelta(seconds=5)
    return Slot(
        id=number,
        deployment_id=deployment,
        process=process,
        index=index,
        address=f"10.0.0.{number}",
        state=state,
        started_at=started,
        ready_at=NOW if state in ("up", "draining") else None,
        draining_at=NOW if state == "draining" else None,
        left=None,
        crashes=0,
        restarts=0,
        retry_at=None,
    )


def running(number: int = 1, **values: object) -> Container:
    container = Container(f"c{number}", f"name{number}", "sha256:one", {}, "running")
    return replace(container, **values)  # type: ignore[arg-type]


def desired(
    *slots: Slot,
    serving: Group | None = None,
    rolling: Group | None = None,
    destroyed: bool = False,
) -> Desired:
    return Desired(1, "shop", destroyed, serving, rolling, tuple(slots))


def seen(*containers: Container, **values: object) -> Observed:
    by_slot = {int(c.id[1:]): c for c in containers}
    return replace(Observed(by_slot, published=(1, 5)), **values)  # type: ignore[arg-type]


def actions(wanted: Desired, observed: Observed, now: datetime = NOW) -> tuple[do.Action, ...]:
    return plan(wanted, observed, now, DRAIN).actions


def test_nothing_to_do_at_the_fixed_point() -> None:
    result = plan(desired(slot(), serving=group()), seen(running()), NOW, DRAIN)
    assert result == Plan(())


def test_a_new_release_gets_its_instances_beside_the_old_ones() -> None:
    wanted = desired(slot(), serving=group(), rolling=group(2, 2, web=2))
    assert actions(wanted, seen(running())) == (
        do.Create(2, "web", 1, start=True),
        do.Create(2, "web", 2, start=True),
    )


def test_pending_instances_start_no_more_than_are_free() -> None:
    wanted = desired(
        slot(1, state="pending"),
        slot(2, state="pending", index=2),
        rolling=group(web=2),
    )
    assert actions(wanted, seen(free_starts=1)) == (do.Start(1),)


def test_new_instances_start_at_once_as_many_as_may() -> None:
    wanted = desired(slot(1, state="pending"), rolling=group(web=3))
    assert actions(wanted, seen(free_starts=2)) == (
        do.Start(1),
        do.Create(1, "web", 2, start=True),
        do.Create(1, "web", 3),
    )


def test_an_instance_is_up_when_it_has_answered() -> None:
    wanted = desired(slot(state="starting"), rolling=group())
    assert actions(wanted, seen(running())) == (do.Watch(1),)
    said = Answer(200, "answered 200 on /")
    both = (do.MarkUp(1, said.said), do.Switch(1))
    assert actions(wanted, seen(running(), answers={1: said})) == both


def test_an_answer_of_500_is_not_ready() -> None:
    wanted = desired(slot(state="starting"), rolling=group())
    answers = {1: Answer(500, "answered 500 on /")}
    assert actions(wanted, seen(running(), answers=answers)) == (do.Watch(1),)


def test_a_worker_is_up_when_it_has_run_for_a_second() -> None:
    wanted = desired(slot(state="starting", process="worker"), rolling=group(worker=1))
    assert actions(wanted, seen(running())) == (do.MarkUp(1, "is running"), do.Switch(1))


def test_traffic_switches_only_when_all_are_up() -> None:
    half = desired(
        slot(1),
        slot(2, 2),
        slot(3, 2, state="starting", index=2),
        serving=group(),
        rolling=group(2, 2, web=2),
    )
    assert do.Switch(2) not in actions(half, seen(running(1), running(2), running(3)))
    full = replace(half, slots=(slot(1), slot(2, 2), slot(3, 2, index=2)))
    assert actions(full, seen(running(1), running(2), running(3))) == (do.Switch(2),)


def test_a_switched_deployment_is_live_when_every_router_has_the_table() -> None:
    new = group(2, 2)
    wanted = desired(slot(2, 2), serving=new, rolling=new)
    assert actions(wanted, seen(running(2), acked=(1, 4))) == ()
    assert actions(wanted, seen(running(2), acked=(1, 5))) == (do.Finish(2),)


def test_what_the_engine_brought_back_stays_in_the_table_when_it_answers() -> None:
    wanted = desired(slot(), serving=group())
    again = running(started_at=NOW.timestamp() + 9)
    result = plan(wanted, seen(again), NOW, DRAIN)
    assert result == Plan((do.Watch(1),), again_in=0.1)
    answers = {1: Answer(200, "answered 200 on /")}
    assert actions(wanted, seen(again, answers=answers)) == (do.MarkReturned(1, 0),)


def test_what_the_engine_brought_back_leaves_the_table_when_it_does_not_answer() -> None:
    again = running(started_at=NOW.timestamp() + 9)
    answers = {1: Answer(None, "refuses connections on port 5000")}
    wanted = desired(slot(), serving=group())
    assert actions(wanted, seen(again, answers=answers)) == (do.MarkRestarted(1, 0, 0, None),)


def test_the_old_group_leaves_after_the_switch() -> None:
    new = group(2, 2)
    wanted = desired(slot(1), slot(2, 2), serving=new)
    assert actions(wanted, seen(running(1), running(2))) == (do.Drain(1),)


def test_a_draining_instance_stays_until_the_router_acks() -> None:
    leaving = replace(slot(1, state="draining"), left=(1, 5))
    wanted = desired(leaving, slot(2, 2), serving=group(2, 2))
    both = (running(1), running(2))
    assert actions(wanted, seen(*both, acked=(1, 4))) == ()
    assert actions(wanted, seen(*both, acked=(1, 5))) == (do.Stop(1),)


def test_a_draining_instance_stays_until_its_requests_are_done_or_out_of_time() -> None:
    leaving = replace(slot(1, state="draining"), left=(1, 5))
    wanted = desired(leaving, slot(2, 2), serving=group(2, 2))
    busy = seen(running(1), running(2), acked=(1, 5), in_flight={"i1": 1})
    assert actions(wanted, busy) == ()
    assert actions(wanted, busy, NOW + timedelta(seconds=DRAIN)) == (do.Stop(1),)


def test_an_address_rests_until_the_routers_forgot_it_even_without_a_container() -> None:
    leaving = replace(slot(1, state="draining"), left=(1, 5))
    wanted = desired(leaving, slot(2, 2), serving=group(2, 2))
    assert actions(wanted, seen(running(2), acked=(1, 4))) == ()


def test_a_worker_stops_at_once() -> None:
    leaving = slot(1, state="draining", process="worker")
    assert actions(desired(leaving), seen(running(1), acked=(1, 0))) == (do.Stop(1),)


def test_scaling_down_drains_the_highest_index() -> None:
    wanted = desired(slot(1), slot(2, index=2), serving=group(web=1))
    assert actions(wanted, seen(running(1), running(2))) == (do.Drain(2),)


def test_scaling_up_takes_the_lowest_free_index() -> None:
    wanted = desired(slot(1, index=2), serving=group(web=2))
    assert actions(wanted, seen(running(1))) == (do.Create(1, "web", 1, start=True),)


def test_a_restart_by_the_engine_takes_it_out_until_it_is_ready_again() -> None:
    wanted = desired(slot(), serving=group())
    crashed = running(restart_count=1, exit_code=1)
    assert actions(wanted, seen(crashed)) == (do.MarkRestarted(1, 1, 1, 1),)


def test_a_crash_loop_is_parked_for_longer_each_time() -> None:
    looping = replace(slot(state="starting"), crashes=2, restarts=2)
    observed = seen(running(restart_count=3, exit_code=1))
    first = actions(desired(looping, serving=group()), observed)
    assert first == (do.Park(1, 3, NOW + timedelta(seconds=1), 1),)
    again = replace(looping, crashes=11, restarts=0)
    later = actions(desired(again, serving=group()), seen(running(restart_count=1, exit_code=1)))
    assert later == (do.Park(1, 12, NOW + timedelta(seconds=300), 1),)


def test_a_parked_instance_starts_again_when_its_time_has_come() -> None:
    parked = replace(slot(state="crashed"), crashes=3, retry_at=NOW + timedelta(seconds=8))
    stopped = seen(running(state="exited"))
    waiting = plan(desired(parked, serving=group()), stopped, NOW, DRAIN)
    assert waiting == Plan((), again_in=8.0)
    later = actions(desired(parked, serving=group()), stopped, NOW + timedelta(seconds=8))
    assert later == (do.Start(1),)


def test_a_container_removed_by_hand_is_made_again() -> None:
    assert actions(desired(slot(), serving=group()), seen()) == (do.Start(1),)


def test_containers_of_no_row_are_removed() -> None:
    assert actions(desired(), seen(strays=(running(9),))) == (do.RemoveStray("c9"),)


def test_a_rollout_fails_at_the_third_crash_and_says_the_status() -> None:
    wanted = desired(slot(state="starting"), rolling=group())
    observed = seen(running(restart_count=3, exit_code=3))
    assert actions(wanted, observed) == (do.Fail(1, "H10", 1, "exited 3 times with 3"),)


def test_a_rollout_fails_when_the_port_stays_shut() -> None:
    wanted = desired(slot(state="starting"), rolling=group())
    refuses = Answer(None, "refuses connections on port 5000")
    late = NOW + timedelta(seconds=56)
    failed = actions(wanted, seen(running(), answers={1: refuses}), late)
    assert failed == (do.Fail(1, "R10", 1, refuses.said),)


def test_boot_time_counts_from_an_instances_own_start() -> None:
    waiting = replace(slot(state="pending"), started_at=None)
    wanted = desired(waiting, rolling=group())
    assert actions(wanted, seen(), NOW + timedelta(hours=1)) == (do.Start(1),)


def test_the_instances_of_a_failed_rollout_leave_and_the_old_stay() -> None:
    wanted = desired(slot(1), slot(2, 2, state="starting"), serving=group())
    assert actions(wanted, seen(running(1), running(2))) == (do.Drain(2),)


def test_a_destroyed_app_goes_container_by_container_and_then_altogether() -> None:
    assert actions(desired(slot(), serving=group(), destroyed=True), seen(running())) == (
        do.Drain(1),
    )
    assert actions(desired(destroyed=True), seen()) == (do.Erase(),)


def test_a_switch_is_over_when_nothing_is_left_of_the_one_before() -> None:
    new = group(2, 2)
    leaving = desired(slot(1, state="draining"), slot(2, 2, index=2), serving=new)
    both = seen(running(1), running(2))
    long_ago = NOW - timedelta(seconds=10)
    assert do.EndSwitch(2) not in actions(replace(leaving, counting=long_ago), both)
    alone = desired(slot(2, 2), serving=new)
    assert actions(replace(alone, counting=long_ago), seen(running(2))) == (do.EndSwitch(2),)
    assert actions(replace(alone, counting=NOW), seen(running(2))) == ()  # they have more to tell
    assert actions(alone, seen(running(2))) == ()


SICK = HealthCheck(attempts=3)


def test_an_instance_that_is_up_is_asked_from_then_on() -> None:
    wanted = desired(replace(slot(), liveness=SICK), serving=group())
    assert actions(wanted, seen(running())) == (do.Tend(1),)
    assert actions(wanted, seen(running(), lives={1: Life()})) == ()
    assert actions(wanted, seen(running(), lives={1: Life(2, "answered 500 on /")})) == ()


def test_a_sick_instance_is_stopped_and_started_again_with_back_off() -> None:
    sick = {1: Life(3, "answered 500 on /")}
    for crashes, pause in [(0, 1), (1, 2), (4, 16), (30, 300)]:
        wanted = desired(replace(slot(), liveness=SICK, crashes=crashes), serving=group())
        again = NOW + timedelta(seconds=pause)
        marked = do.MarkSick(1, crashes + 1, again, "answered 500 on /")
        assert actions(wanted, seen(running(), lives=sick)) == (marked,)
    parked = replace(slot(state="crashed"), retry_at=NOW)
    assert actions(desired(parked, serving=group()), seen(running())) == (do.Halt(1),)
    stopped = running(state="exited")
    assert actions(desired(parked, serving=group()), seen(stopped)) == (do.Start(1),)


def test_sick_instances_are_restarted_one_after_the_other() -> None:
    sick = {n: Life(3, "answered 500 on /") for n in (1, 2)}
    slots = [replace(slot(n, index=n), liveness=SICK) for n in (1, 2)]
    both = seen(running(1), running(2), lives=sick)
    wanted = desired(*slots, serving=group(web=2))
    assert [type(action) for action in actions(wanted, both)] == [do.MarkSick]
    away = replace(slots[0], state="crashed", retry_at=NOW + timedelta(seconds=9))
    half = seen(running(1, state="exited"), running(2), lives={2: sick[2]})
    assert actions(desired(away, slots[1], serving=group(web=2)), half) == ()


def test_a_worker_with_a_check_is_up_when_it_passed() -> None:
    check = HealthCheck(kind="command", command=("true",))
    waiting = replace(slot(state="starting", process="worker"), startup=check)
    wanted = desired(waiting, rolling=group(worker=1))
    assert actions(wanted, seen(running())) == (do.Watch(1),)
    passed = {1: Answer(None, "`true` exited with 0", passed=True)}
    assert do.Switch(1) in actions(wanted, seen(running(), answers=passed))
    failed = {1: Answer(None, "`true` exited with 1", passed=False)}
    late = NOW + timedelta(seconds=60)
    said = "`true` exited with 1"
    assert actions(wanted, seen(running(), answers=failed), late) == (
        do.Fail(1, "unhealthy", 1, said),
    )


def test_a_slow_boot_has_the_time_of_its_process_type() -> None:
    slow = replace(group(), settings={"web": ProcessSettings(boot_timeout=300)})
    wanted = desired(slot(state="starting"), rolling=slow)
    late = NOW + timedelta(seconds=200)
    assert actions(wanted, seen(running()), late) == (do.Watch(1),)
    later = NOW + timedelta(seconds=300)
    assert isinstance(actions(wanted, seen(running()), later)[0], do.Fail)
