"""What routers counted, as a sum, a quantile and a sentence."""

from hypothesis import given
from hypothesis import strategies as st

from hythe.run.traffic import Traffic, total

COUNTS = st.dictionaries(st.sampled_from([64, 128, 512, 4096, 2**20]), st.integers(1, 9))


def traffic(times: dict[int, int]) -> Traffic:
    return Traffic(sum(times.values()), 0, {}, times)


@given(st.lists(COUNTS, max_size=4), st.floats(0.01, 1.0))
def test_a_quantile_is_a_bound_that_this_share_stays_below(
    parts: list[dict[int, int]], share: float
) -> None:
    added = total(map(traffic, parts))
    assert added.requests == sum(sum(part.values()) for part in parts)
    bound = round(added.quantile(share) * 1e6)
    below = sum(count for part in parts for limit, count in part.items() if limit <= bound)
    assert below >= share * added.requests - 1e-6
    faster = sum(count for part in parts for limit, count in part.items() if limit < bound)
    assert faster < share * added.requests or bound == 0


def test_failures_name_the_routers_codes_and_the_apps_own() -> None:
    assert Traffic(9, 0, {"H27": 2}).failures == "0 failed"
    assert Traffic(9, 3, {"H13": 2, "H27": 1}).failures == "3 failed (2 x H13, 1 x 5xx of the app)"
    assert Traffic(9, 2, {"H13": 2}).failures == "2 failed (2 x H13)"
