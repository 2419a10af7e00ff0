"""Running a tool of the build: its output is shown while it runs, and kept to explain a failure."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from hythe_buildpack.report import detail


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
        command, cwd=cwd, env=os.environ | (env or {}), text=True, errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line.rstrip())
        if not quiet and line.strip() and not (noise and noise.match(line)):
            detail(line.rstrip())
    return process.wait(), "\n".join(lines)
