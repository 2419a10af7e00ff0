"""The app's own scripts around the installation: bin/pre_compile and bin/post_compile."""

import os
from collections.abc import Mapping
from pathlib import Path

from hythe_buildpack.command import last_line, run, was_killed
from hythe_buildpack.report import step, stop

MEMORY = "Let the operator raise HYTHE_BUILD_MEMORY, or make the build need less."


def run_hook(app: Path, name: str, env: Mapping[str, str]) -> None:
    """Run bin/NAME in the app's folder if there is one; its failure fails the build."""
    file, shown = app / "bin" / name, f"bin/{name}"
    if not file.is_file():
        return
    step(f"Running {shown}")
    if not os.access(file, os.X_OK):
        stop(
            f"{shown} is not executable.",
            f"Run `git update-index --chmod=+x {shown}` and commit it.",
        )
    try:
        code, output = run([str(file)], cwd=app, env=env)
    except OSError as error:
        stop(
            f"{shown} cannot be started: {error.strerror}.",
            "Its first line must name a program that there is, such as #!/bin/sh, and end as lines"
            " of Unix do.",
        )
    if was_killed(code, output):
        stop(f"{shown} needs more memory than a build may use.", MEMORY)
    if code != 0:
        stop(
            f"{shown} failed with exit code {code}: {last_line(output)}",
            "Its lines are above. It must work in a fresh clone, without the running app's config.",
        )
