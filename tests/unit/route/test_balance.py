import random
from collections import Counter, deque

from hypothesis import given, settings
from hypothesis import strategies as st

from hythe.route.balance import choose, ejected
from hythe.route.upstream import Upstream
from hythe.wire import Target

NOW = 1000.0


def make_upstream(name: str = "i1", *, weight: int = 100, busy: int = 0, born: float = 0.0):
    upstream = Upstream(Target(name, "127.0.0.1", 80, weight=weight), born, lambda *_: None)
    upstream.in_flight = busy
    return upstream


def test_the_less_loaded_of_two_is_chosen():
    busy, free = make_upstream(busy=5), make_upstream(busy=1)
    assert all(choose([busy, free], (), NOW) is free for _ in range(20))


def test_no_targets_no_choice():
    assert choose([], (), NOW) is None


def test_a_tried_target_comes_again_only_when_no_other_is_left():
    one, other = make_upstream(), make_upstream(busy=9)
    assert choose([one, other], {one}, NOW) is other
    assert choose([one], {one}, NOW) is one
    assert choose([one, other], {one, other}, NOW) in (one, other)


def test_weight_nought_gets_nothing_while_others_are_there():
    off, on = make_upstream(weight=0), make_upstream(busy=50)
    assert all(choose([off, on], (), NOW) is on for _ in range(20))


def test_a_new_target_starts_slowly():
    old, new = make_upstream(), make_upstream(born=NOW)
    for age, low, high in ((0, 0.05, 0.15), (5, 0.28, 0.39), (10, 0.44, 0.56)):
        drawn = [choose([old, new], (), NOW + age) for _ in range(2000)]
        assert low < drawn.count(new) / 2000 < high


def test_a_full_target_gets_nothing():
    full, free = make_upstream(busy=2), make_upstream(busy=1)
    assert all(choose([full, free], (), NOW, most=2) is free for _ in range(20))
    assert choose([full], (), NOW, most=2) is None
    assert choose([full, make_upstream(busy=3)], (), NOW, most=2) is None
    full.tunnels = 1  # a WebSocket keeps no request waiting
    assert choose([full], (), NOW, most=2) is full


@given(
    weights=st.lists(st.integers(1, 100), min_size=2, max_size=6),
    open_requests=st.integers(1, 60),
    seed=st.integers(),
)
@settings(max_examples=30, deadline=None, derandomize=True)  # or it would look for unlucky seeds
def test_shares_follow_the_weights_at_any_load(weights, open_requests, seed):
    """A closed loop of requests that take equally long, whatever their number."""
    random.seed(seed)
    targets = [make_upstream(f"i{n}", weight=weight) for n, weight in enumerate(weights)]
    under_way, served = deque(), Counter()
    for _ in range(3000):
        chosen = choose(targets, (), NOW)
        chosen.in_flight += 1
        served[chosen] += 1
        under_way.append(chosen)
        if len(under_way) > open_requests:
            under_way.popleft().in_flight -= 1
    for target in targets:
        share = target.target.weight / sum(weights)
        assert abs(served[target] / 3000 - share) < 0.12


@given(
    failing=st.sets(st.integers(0, 7)),
    count=st.integers(1, 8),
    seed=st.integers(),
)
def test_ejection_leaves_at_least_half_and_never_nobody(failing, count, seed):
    random.seed(seed)
    targets = [make_upstream(f"i{n}") for n in range(count)]
    for n in failing:
        if n < count:
            for _ in range(5):
                targets[n].failed(NOW)
    out = ejected(targets, NOW + 1)
    assert len(out) <= count // 2
    assert all(target.ejected_until > NOW for target in out)
    assert choose(targets, (), NOW + 1) not in out
    assert ejected(targets, NOW + 31) == []


def test_ejections_grow_and_are_forgotten():
    bad, now = make_upstream(), NOW
    for expected in (30, 60, 90):
        assert [bad.failed(now) for _ in range(5)] == [False] * 4 + [True]
        assert bad.ejected_until - now == expected
        now = bad.ejected_until
    now += 601
    assert [bad.failed(now) for _ in range(5)][-1]
    assert bad.ejected_until - now == 30


def test_five_failures_in_a_row_eject_for_half_a_minute():
    bad, good = make_upstream(), make_upstream(busy=9)
    for _ in range(4):
        bad.failed(NOW)
    assert choose([bad, good], (), NOW) is bad
    bad.failed(NOW)
    assert choose([bad, good], (), NOW) is good
    assert choose([bad, good], (), NOW + 30) is bad


def test_a_success_ends_the_row():
    upstream = make_upstream()
    for _ in range(4):
        upstream.failed(NOW)
    upstream.failures = 0  # as after a success, see Dial.leave
    upstream.failed(NOW)
    assert upstream.ejected_until == 0


def test_never_more_than_half_are_ejected_and_never_the_only_one():
    targets = [make_upstream(f"i{n}") for n in range(3)]
    for number, target in enumerate(targets[:2]):
        target.ejected_until = NOW + 30 + number
    seen = {choose(targets, (), NOW) for _ in range(200)}
    assert seen == {targets[0], targets[2]}
    only = make_upstream()
    only.ejected_until = NOW + 30
    assert choose([only], (), NOW) is only
