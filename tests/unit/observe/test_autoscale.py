"""How many instances the load asks for."""

from hypothesis import given
from hypothesis import strategies as st

from hythe.observe.autoscale import STABLE_SECONDS, Bounds, Decision, Sample, decide

NOW = 1_700_000_000.0
WIDE = Bounds(1, 10)


def steady(load: float, instances: int, seconds: int = 300) -> list[Sample]:
    return [Sample(NOW - age, load, instances) for age in range(seconds - 10, -10, -10)]


def test_a_load_near_its_target_changes_nothing() -> None:
    for load in (0.91, 1.0, 1.09):
        assert decide(WIDE, 4, steady(load, 4), 0, NOW) == Decision(4)
    assert decide(WIDE, 4, [], 0, NOW) == Decision(4)


def test_a_lasting_load_scales_up_and_down() -> None:
    assert decide(WIDE, 4, steady(1.5, 4), 0, NOW).instances == 6
    assert decide(WIDE, 4, steady(0.7, 4), 0, NOW).instances == 3
    assert decide(WIDE, 8, steady(0.0, 8), 0, NOW).instances == 4  # by half at most


def test_a_sudden_load_scales_up_at_once_though_the_stable_window_is_calm() -> None:
    samples = steady(0.5, 2)[:-3] + steady(3.0, 2, 30)
    found = decide(WIDE, 2, samples, NOW - 5, NOW)
    assert (found.instances, found.why) == (6, "300% of the target over 30 s")


def test_after_a_change_it_waits() -> None:
    assert decide(WIDE, 4, steady(1.5, 4), NOW - 30, NOW) == Decision(4)
    assert decide(WIDE, 4, steady(0.5, 4), NOW - 200, NOW) == Decision(4)


def test_what_was_measured_before_a_change_does_not_count() -> None:
    samples = steady(1.9, 2)[:-9] + steady(1.0, 4, 90)
    assert decide(WIDE, 4, samples, NOW - 90, NOW) == Decision(4)


def test_a_load_that_rises_again_is_not_scaled_down() -> None:
    samples = steady(0.3, 4)[:-3] + steady(1.0, 4, 30)
    assert decide(WIDE, 4, samples, 0, NOW) == Decision(4)


cases = st.tuples(
    st.integers(1, 20),
    st.lists(
        st.builds(Sample, st.floats(NOW - 400, NOW), st.floats(0, 100), st.integers(1, 20)),
        max_size=40,
    ),
    st.floats(NOW - 1000, NOW),
    st.integers(1, 10),
    st.integers(0, 10),
)


@given(cases)
def test_it_stays_within_bounds_and_says_why_it_moves(
    case: tuple[int, list[Sample], float, int, int],
) -> None:
    current, samples, changed, low, more = case
    bounds = Bounds(low, low + more)
    found = decide(bounds, current, samples, changed, NOW)
    assert low <= found.instances <= low + more
    assert bool(found.why) == (found.instances != current)
    if bounds.low <= current <= bounds.high:
        assert found.instances * 2 >= current
        if found.instances < current:
            assert NOW - changed >= STABLE_SECONDS


@given(cases, st.floats(1, 3))
def test_more_load_never_asks_for_less(
    case: tuple[int, list[Sample], float, int, int], factor: float
) -> None:
    current, samples, changed, low, more = case
    heavier = [Sample(s.time, s.load * factor, s.instances) for s in samples]
    bounds = Bounds(low, low + more)
    less = decide(bounds, current, samples, changed, NOW).instances
    assert decide(bounds, current, heavier, changed, NOW).instances >= less
