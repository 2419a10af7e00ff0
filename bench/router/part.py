"""A part of the benchmark: one kind of load, measured router by router."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.router.contest import Running

Samples = defaultdict[tuple[str, str, str], list[float]]
"""By router, part and what was measured (a key of LABELS)."""

LABELS = {
    "requests/s": ("", "requests/s"),
    "connections/s": ("", "connections/s"),
    "messages/s": ("", "messages/s"),
    "MB/s": ("", "MB/s"),
    "us": ("CPU", "us"),  # of the router, for each of what is counted above
    "p50": ("p50", "ms"),
    "p99": ("p99", "ms"),
    "p99.9": ("p99.9", "ms"),
    "MiB": ("memory", "MiB"),
    "gained": ("memory gained", "MiB"),
    "count": ("open", "connections"),
    "KiB": ("memory each", "KiB"),
}

FILES, LIVE = "files", "live"  # backends: see contest.py


@dataclass
class Terms:
    """What holds for all parts of a run."""

    folder: Path
    quick: bool
    samples: Samples
    routers: list[Running] = field(default_factory=list)

    @property
    def seconds(self) -> int:
        return 1 if self.quick else 3


@dataclass(frozen=True)
class Part:
    name: str  # for --part
    title: str
    run: Callable[[Running, Terms], dict[str, float]]
    backend: str = FILES
    only: tuple[str, ...] = ()  # routers; () is all of them
    once: bool = False  # in the first turn only
