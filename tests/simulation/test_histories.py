"""Random histories of deploys and faults: always safe, and in the end as it should be.

The same ones at every run; `bin/chaos -k histories` plays many new ones.
"""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulation.events import Event, histories
from simulation.play import play


@settings(
    max_examples=5,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(history=histories, seed=st.integers(0, 3))
def test_any_history_is_safe_and_ends_as_it_should(history: list[Event], seed: int) -> None:
    play(history, seed)
