"""Many random histories, which no run before has seen (see tests/simulation)."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulation.events import Event, histories
from simulation.play import play

pytestmark = pytest.mark.chaos

HISTORIES = 300


def test_many_histories_are_safe_and_end_as_they_should(
    record_property: Callable[[str, object], None],
) -> None:
    played = 0

    @settings(
        max_examples=HISTORIES,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(history=histories, seed=st.integers(0, 2**16))
    def many(history: list[Event], seed: int) -> None:
        nonlocal played
        played += 1
        play(history, seed)

    many()
    record_property("histories", played)
