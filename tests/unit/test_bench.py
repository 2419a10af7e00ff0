"""Benchmarks write their figures where the docs have a place for them."""

from collections.abc import Sequence

import pytest

from bench import record, servers
from bench.figure import Figure


@pytest.mark.parametrize("name", record.PLACES)
def test_the_page_has_a_place_for_the_figures(name: str) -> None:
    page = record.PLACES[name][0].read_text()
    written = record.between(page, name, "the figures")
    assert f"<!-- bin/bench {name} -->\nthe figures\n<!-- end of bin/bench -->" in written
    assert record.between(written, name, "the figures") == written


def test_a_page_without_a_place_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place for the figures of build"):
        record.between("nothing", "build", "the figures")


def figures() -> Sequence[Figure]:
    return [
        Figure(f"{way}: {what}", [1500.4], "")
        for way in servers.WAYS
        for what in (*servers.PATHS, "memory", "image")
        if (way, what) != ("gunicorn", "static file")
    ]


def test_each_way_to_serve_has_a_row() -> None:
    rows = servers.overview(figures()).splitlines()
    assert "| gunicorn | 1,500 | 1,500 | - | 1,500 MiB | 1,500 MiB |" in rows
    assert sum(row.startswith("| ") for row in rows) == 1 + len(servers.WAYS)
