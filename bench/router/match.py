"""Measures the parts, and compares."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from bench.figure import Figure, ratios
from bench.router import handshakes, latency, live, loads, transfers
from bench.router.contest import OURS, ROOT, Running, contest, more_files
from bench.router.part import LABELS, Part, Samples, Terms
from bench.router.plot import draw

PARTS = [*loads.PARTS, *transfers.PARTS, *latency.PARTS, *handshakes.PARTS, *live.PARTS]

# part, rival (None: the figure itself), what, target
TARGETS: list[tuple[str, str | None, str, tuple[str, float]]] = [
    ("small", "nginx", "requests/s", (">=", 0.9)),
    ("small", "nginx", "us", ("<=", 1.2)),
    ("small", "Envoy", "requests/s", (">=", 2.0)),
    ("small", "Caddy", "requests/s", (">=", 5.0)),
    ("new", "Envoy", "requests/s", (">=", 1.0)),
    ("tls", "nginx", "requests/s", (">=", 0.7)),
    ("16k", "nginx", "requests/s", (">=", 0.8)),
    ("download", "nginx", "MB/s", (">=", 0.5)),
    ("download", None, "gained", ("<=", 4)),
    ("upload", "nginx", "MB/s", (">=", 0.5)),
    ("upload", None, "gained", ("<=", 4)),
    ("half", "nginx", "p99", ("<=", 1.5)),
    ("idle", None, "KiB", ("<=", 12)),
]


def measure(pairs: int, *, parts: Collection[str] = (), quick: bool = False) -> list[Figure]:
    """All parts, or those named. `quick` shows that they run: its figures say nothing."""
    chosen = [part for part in PARTS if not parts or part.name in parts]
    samples = Samples(list)
    names: list[str] = []
    more_files()
    with tempfile.TemporaryDirectory(prefix="hythe-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # workers of nginx run as somebody else
        terms = Terms(folder, quick, samples)
        for backend in dict.fromkeys(part.backend for part in chosen):
            here = [part for part in chosen if part.backend == backend]
            with contest(folder / backend, backend) as terms.routers:
                names = [router.name for router in terms.routers]
                for turn in range(pairs):
                    _take_turn(here, turn, pairs, terms)
    if not parts and not quick:
        with suppress(ImportError):
            draw(samples, names, ROOT / "docs" / "router.png")
    return _figures(chosen, names, samples)


def _take_turn(parts: Sequence[Part], turn: int, pairs: int, terms: Terms) -> None:
    for part in parts:
        if part.once and turn:
            continue
        routers = [r for r in terms.routers if not part.only or r.name in part.only]
        first = turn % len(routers) if routers else 0
        for router in routers[first:] + routers[:first]:
            print(f"{turn + 1}/{pairs} {part.title}: {router.name}", end="", file=sys.stderr)
            for what, value in _run(part, router, terms).items():
                print(f" {value:.4g} {what}", end="", file=sys.stderr, flush=True)
                terms.samples[router.name, part.name, what].append(value)
            print(file=sys.stderr)


def _run(part: Part, router: Running, terms: Terms) -> dict[str, float]:
    """Once more when it fails: a moment of a busy machine shall not cost the whole run."""
    try:
        return part.run(router, terms)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(f"again, since it failed: {error}", file=sys.stderr)
        time.sleep(1)
        return part.run(router, terms)


def _figures(parts: Sequence[Part], names: Sequence[str], samples: Samples) -> list[Figure]:
    figures = []
    for part in parts:
        for name in names:
            for what, (label, unit) in LABELS.items():
                if found := samples.get((name, part.name, what)):
                    title = f"{part.title}, {name}" + (f": {label}" if label else "")
                    figures.append(Figure(title, found, unit))
    titles = {part.name: part.title for part in PARTS}
    asked = {part.name for part in parts}
    for part_name, rival, what, target in TARGETS:
        if part_name not in asked:
            continue
        ours = samples.get((OURS, part_name, what))
        theirs = samples.get((rival or "", part_name, what))
        label, unit = LABELS[what]
        label = label or unit
        if ours and rival is None:
            figures.append(Figure(f"{titles[part_name]}: {OURS}, {label}", ours, unit, target))
        elif ours and theirs:
            name = f"{titles[part_name]}: {OURS} / {rival}, {label}"
            figures.append(Figure(name, ratios(ours, theirs), "x", target))
    return figures
