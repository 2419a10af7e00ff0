"""Slowing guessing down, without locking anybody out and without growing."""

import pytest

from hythe.api import throttle
from hythe.api.throttle import Throttle
from hythe.errors import TooManyAttempts


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def waits(throttled: Throttle, clock: Clock, attempts: int) -> list[float]:
    """How long each further attempt has to wait; each is made as early as it may be."""
    found = []
    for _ in range(attempts):
        try:
            throttled.admit("ada")
            found.append(0.0)
        except TooManyAttempts as refused:
            found.append(float(refused.retry_after))
            clock.now += refused.retry_after
            throttled.admit("ada")
    return found


def test_the_wait_doubles_up_to_a_minute(clock: Clock) -> None:
    found = waits(Throttle(free=3, clock=clock), clock, 12)
    assert found == [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_refused_attempt_does_not_make_it_worse(clock: Clock) -> None:
    throttled = Throttle(free=1, clock=clock)
    throttled.admit("ada")
    for _ in range(100):
        with pytest.raises(TooManyAttempts):
            throttled.admit("ada")
    clock.now += 1
    throttled.admit("ada")


def test_success_and_a_quarter_of_an_hour_wipe_the_slate(clock: Clock) -> None:
    throttled = Throttle(free=2, clock=clock)
    for forget in (lambda: throttled.forgive("ada"), lambda: setattr(clock, "now", 9999.0)):
        assert waits(throttled, clock, 3)[-1] > 0
        forget()
        throttled.admit("ada")
        throttled.forgive("ada")


def test_others_are_not_slowed_down(clock: Clock) -> None:
    throttled = Throttle(free=1, clock=clock)
    throttled.admit("ada")
    throttled.admit("grace")


def test_many_names_do_not_eat_the_memory(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "REMEMBERED", 10)
    throttled = Throttle(free=1, clock=clock)
    for number in range(100):
        throttled.admit(number)
    assert len(throttled._records) == 10
    with pytest.raises(TooManyAttempts):
        throttled.admit(99)
