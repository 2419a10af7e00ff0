"""Writes what a benchmark found into the docs, between two comments that name the benchmark."""

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.figure import Figure, table
from bench.installation import ROOT
from bench.servers import overview

Text = Callable[[Sequence[Figure]], str]


def _listing(figures: Sequence[Figure]) -> str:
    return f"```\n{table(figures)}\n```"


PLACES: dict[str, tuple[Path, Text]] = {
    "build": (ROOT / "docs" / "performance.md", _listing),
    "servers": (ROOT / "docs" / "how-to" / "python-servers.md", overview),
}


def record(name: str, figures: Sequence[Figure]) -> Path:
    """Replace the benchmark's figures in its page; returns the page."""
    page, text = PLACES[name]
    page.write_text(between(page.read_text(), name, text(figures)))
    return page


def between(page: str, name: str, text: str) -> str:
    """The page with this text between `<!-- bin/bench NAME -->` and `<!-- end of bin/bench -->`.

    Raises ValueError for a page without these comments.
    """
    begin, end = f"<!-- bin/bench {name} -->\n", "\n<!-- end of bin/bench -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page has no place for the figures of {name}")
    return f"{before}{begin}{text}{end}{after}"
