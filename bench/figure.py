"""A figure: what was measured, how it spread, what was asked for, and whether that was met."""

import json
import operator
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COMPARE = {"<=": operator.le, "<": operator.lt, "=": operator.eq, ">=": operator.ge}


@dataclass(frozen=True)
class Figure:
    """The median of the samples, against a target such as ("<=", 2.5), where there is one."""

    name: str
    samples: Sequence[float]
    unit: str
    target: tuple[str, float] | None = None

    @property
    def value(self) -> float:
        return statistics.median(self.samples)

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        relation, bound = self.target
        return bool(COMPARE[relation](self.value, bound))

    @property
    def wanted(self) -> str:
        return f"{self.target[0]} {self.target[1]:g}" if self.target else ""

    def row(self) -> tuple[str, ...]:
        met = {True: "met", False: "NOT MET", None: ""}[self.met]
        spread = (
            f"{min(self.samples):.4g} .. {max(self.samples):.4g}" if len(self.samples) > 1 else ""
        )
        return (self.name, f"{self.value:.4g} {self.unit}", spread, self.wanted, met)

    def as_json(self) -> dict[str, object]:
        return {
            "figure": self.name,
            "value": round(self.value, 4),
            "unit": self.unit,
            "target": self.wanted or None,
            "met": self.met,
        }


def ratios(ours: Sequence[float], floor: Sequence[float]) -> list[float]:
    """Pair by pair: what both have of the machine's mood cancels out."""
    return [mine / theirs for mine, theirs in zip(ours, floor, strict=True)]


def table(figures: Sequence[Figure]) -> str:
    """The figures as text, with the machine that they were measured on."""
    rows = [("figure", "value", "range", "target", ""), *(figure.row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
             for row in rows]  # fmt: skip
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, "", machine()])


def as_json(figures: Sequence[Figure]) -> str:
    return json.dumps([figure.as_json() for figure in figures], indent=2)


def machine() -> str:
    """What the figures depend on, in one line."""
    memory = next(
        int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemTotal")
    )  # fmt: skip
    engine = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True
    )
    return (
        f"{os.cpu_count()} cores, {memory / 1024**2:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, Docker {engine.stdout.strip() or '(unknown)'}"
    )
