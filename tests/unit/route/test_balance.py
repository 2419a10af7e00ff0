from collections import Counter

from hythe.route.balance import choose
from hythe.route.upstream import Upstream
from hythe.wire import Target

NOW = 1000.0


def make_upstream(name: str = "i1", *, weight: int = 100, busy: int = 0, born: float = 0.0):
    upstream = Upstream(Target(name, "127.0.0.1", 80, weight=weight), born, lambda _: None)
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
    old, new = make_upstream(busy=1), make_upstream(born=NOW)
    assert choose([old, new], (), NOW) is old
    assert choose([old, new], (), NOW + 10) is new


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
    upstream.succeeded()
    upstream.failed(NOW)
    assert upstream.ejected_until == 0


def test_never_more_than_half_are_ejected_and_never_the_only_one():
    targets = [make_upstream(f"i{n}") for n in range(3)]
    for target in targets[:2]:
        target.ejected_until = NOW + 30
    seen = Counter(choose(targets, (), NOW) for _ in range(200))
    assert len(seen) == 3
    only = make_upstream()
    only.ejected_until = NOW + 30
    assert choose([only], (), NOW) is only
