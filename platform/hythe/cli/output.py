"""What commands print."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any


def print_json(data: Any) -> None:
    print(json.dumps(data, indent=2))


def warn(text: str) -> None:
    """A warning, beside what the command prints."""
    sys.stdout.flush()
    print(f" !    {text}", file=sys.stderr, flush=True)


class Doing:
    """A line such as `Scaling web... done, now running web at 3`, in the making."""

    def __init__(self) -> None:
        self.result = ""

    def done(self, result: str) -> None:
        """Say what goes behind `done, `."""
        self.result = f", {result}"


@contextmanager
def doing(text: str, as_json: bool = False) -> Iterator[Doing]:
    """Print `text...`, and `done` when the block ends well; beside the data if that is JSON."""
    stream = sys.stderr if as_json else sys.stdout
    line = Doing()
    print(f"{text}... ", end="", file=stream, flush=True)
    try:
        yield line
    except BaseException:
        print("failed", file=stream)
        raise
    print(f"done{line.result}", file=stream)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns; in full where standard output is not a terminal."""
    from rich.console import Console
    from rich.table import Table

    grid = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        grid.add_row(*row)
    width = None if sys.stdout.isatty() else 10_000
    Console(highlight=False, markup=False, width=width).print(grid)


def time_of(text: str) -> datetime:
    """A time of the API; Python 3.11 reads the Z."""
    return datetime.fromisoformat(text)


def span(since: str) -> str:
    """The time from then to now in its largest unit: `5m`."""
    seconds = max(0, int((datetime.now(UTC) - time_of(since)).total_seconds()))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def span_of(text: str) -> float | None:
    """The seconds of `90s`, `30m`, `6h` or `7d`; None when it is not one."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    number, unit = text[:-1], text[-1:]
    if unit not in units or not number.isdecimal() or len(number) > 9:
        return None
    return float(int(number) * units[unit])


def day(text: str) -> str:
    """A time in the user's zone: `2026-03-01 09:30:12`."""
    return time_of(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
