"""Figures in files of fixed size."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hythe.observe.figures import INSTANCE_FIELDS, instance
from hythe.observe.rollup import LONG, SHORT, roll_up
from hythe.observe.series import HEADER, Series

START = 1_700_000_000 // 300 * 300


@pytest.fixture
def series(tmp_path: Path) -> Series:
    return Series(tmp_path / "1" / "web.1", ("a", "b"))


def test_what_was_written_is_read(series: Series) -> None:
    for step in (0, 1, 3):
        series.write(SHORT, START + 10 * step + 7, {"a": step, "b": 0.5})
    points = series.read(SHORT, START, START + 100)
    assert [(point.time - START, point.values) for point in points] == [
        (0, (0.0, 0.5)), (10, (1.0, 0.5)), (30, (3.0, 0.5)),
    ]  # fmt: skip
    assert [point.time - START for point in series.read(SHORT, START + 1, START + 30)] == [10]
    newest = series.last(SHORT, START + 55)
    assert newest is not None and newest.time == START + 30
    assert series.last(SHORT, START + 70) is None


def test_a_file_keeps_its_size_and_forgets_the_oldest(series: Series) -> None:
    series.write(SHORT, START, {"a": 1})
    size = series.path.stat().st_size
    assert size == HEADER + (8640 + 8640) * 16
    series.write(SHORT, START + 86_400, {"a": 2})
    series.write(SHORT, START + 10, {"a": 9})
    assert [p.values[0] for p in series.read(SHORT, START, START + 86_401)] == [9, 2]
    assert series.path.stat().st_size == size
    assert series.path.stat().st_blocks * 512 < size / 4  # what was never written takes no space


@given(st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 1000)), max_size=30))
def test_a_series_is_what_was_written_last_to_each_step(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[int, int]]
) -> None:
    series = Series(tmp_path_factory.mktemp("series") / "x", ("a",))
    rounds: dict[int, tuple[int, int]] = {}
    for step, value in writes:
        series.write(SHORT, START + 10 * step, {"a": value})
        rounds[(START // 10 + step) % SHORT.slots] = (START + 10 * step, value)
    end = START + 10 * 40_001
    kept = {time: value for time, value in rounds.values() if time >= end - 86_400}
    found = {p.time: int(p.values[0]) for p in series.read(SHORT, 0, end)}
    assert found == kept


def test_a_torn_or_older_file_is_begun_anew(series: Series) -> None:
    series.write(SHORT, START, {"a": 1})
    with series.path.open("r+b") as file:
        file.write(b"torn")
    assert series.read(SHORT, START, START + 10) == []
    series.write(SHORT, START + 10, {"a": 2})
    assert [p.time - START for p in series.read(SHORT, START, START + 20)] == [10]
    other = Series(series.path, ("a", "b", "c"))
    assert other.read(SHORT, START, START + 20) == []
    assert Series(series.path.with_name("none"), ("a",)).read(SHORT, START, START + 20) == []


def test_a_longer_step_adds_counts_and_keeps_the_highest_levels(tmp_path: Path) -> None:
    series = instance(tmp_path, 1, "web.1")
    for step in range(30):
        values = {"cpu": 0.5 + step % 2, "memory": 100 + step, "received": 10, "restarts": 2}
        series.write(SHORT, START + 10 * step, values)
    roll_up(series, START + 300, {})
    (point,) = series.read(LONG, START, START + 300)
    known = dict(zip(INSTANCE_FIELDS, point.values, strict=True))
    assert math.isclose(known["cpu"], 1.0)
    assert (known["memory"], known["received"], known["restarts"]) == (129, 300, 2)
    roll_up(series, START + 600, {})
    assert len(series.read(LONG, START, START + 600)) == 1  # of nothing nothing is made


def test_no_draft_stays(series: Series) -> None:
    series.write(SHORT, START, {"a": 1})
    assert [path.name for path in series.path.parent.iterdir()] == ["web.1"]
