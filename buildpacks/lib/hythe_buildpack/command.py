"""Running a tool of the build: its output is shown while it runs, and kept to explain a failure."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from hythe_buildpack.report import detail

_OUT_OF_MEMORY = re.compile(
    r"heap out of memory|Killed signal terminated program|signal: 9|^MemoryError"
    r"|Cannot allocate memory",
    re.M,
)
# The same input gives the same files: packages that are built from source read it (1980, since zip
# files know no earlier time). https://reproducible-builds.org/specs/source-date-epoch/
STABLE = {"SOURCE_DATE_EPOCH": "315532800"}


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    noise: re.Pattern[str] | None = None,
    quiet: bool = False,
) -> tuple[int, str]:
    """Run it to its end; returns its exit code and its output, both streams together.

    Lines that match `noise` are not shown; with `quiet` none is.
    """
    process = subprocess.Popen(
        command, cwd=cwd, env=STABLE | os.environ | (env or {}), text=True, errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line.rstrip())
        if not quiet and line.strip() and not (noise and noise.match(line)):
            detail(line.rstrip())
    return process.wait(), "\n".join(lines)


def last_line(output: str) -> str:
    """What a program said last, cut to what fits in a line."""
    said = (line.strip() for line in reversed(output.splitlines()))
    return next((line for line in said if line), "no output")[:200]


def was_killed(code: int, output: str) -> bool:
    """Whether it, or the compiler that it ran, ended because memory did."""
    return code in (137, -9) or (code != 0 and bool(_OUT_OF_MEMORY.search(output)))
