"""The longer step of a series, made of its shorter ones."""

from collections.abc import Mapping, Sequence

from hythe.observe.figures import MEANS, SUMS
from hythe.observe.series import TIERS, Series

SHORT, LONG = TIERS


def roll_up(series: Series, end: int, exact: Mapping[str, float]) -> None:
    """Write the long step that ends at `end` (a multiple of it), if anything is known of it.

    exact: what the short steps do not tell, such as quantiles. Raises OSError.
    """
    points = series.read(SHORT, end - LONG.step, end)
    if points:
        columns = zip(*(each.values for each in points), strict=True)
        named = zip(series.fields, columns, strict=True)
        made = {name: _together(name, values) for name, values in named}
        series.write(LONG, end - LONG.step, {**made, **exact})


def _together(name: str, values: Sequence[float]) -> float:
    if name in SUMS:
        return sum(values)
    return sum(values) / len(values) if name in MEANS else max(values)
