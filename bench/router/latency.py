"""Latency at a fixed rate, counted from when a request was due.

All routers at a quarter, a half and three quarters of what the slowest of them can do; and nginx
and ours at half of what the slower of these two can do.
"""

import json
import os
import subprocess
import sys
from functools import partial

from bench.router.contest import HOST, LOAD_CORE, OURS, ROOT, Running
from bench.router.loads import ask
from bench.router.part import Part, Terms

PAIR = ("nginx", OURS)


def _peak(router: Running, terms: Terms) -> float:
    """Requests a second, as measured before, or else now."""
    found = terms.samples[router.name, "small", "requests/s"]
    if not found:
        found.append(ask(router, terms)["requests/s"])
    return max(found)


def _at(
    router: Running, terms: Terms, *, share: float, among: tuple[str, ...] = ()
) -> dict[str, float]:
    peaks = [_peak(r, terms) for r in terms.routers if not among or r.name in among]
    command = ["taskset", "-c", LOAD_CORE, sys.executable, "-m", "bench.openloop"]
    rate = str(int(min(peaks) * share))
    done = subprocess.run(
        [*command, str(router.site.port), rate, str(terms.seconds), HOST],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    found: dict[str, float] = json.loads(done.stdout)
    del found["answered"]
    return found


PARTS = [
    *(
        Part(f"at{percent}", f"at {percent} % of the slowest", partial(_at, share=percent / 100))
        for percent in (25, 50, 75)
    ),
    Part("half", "half load of the pair", partial(_at, share=0.5, among=PAIR), only=PAIR),
]
