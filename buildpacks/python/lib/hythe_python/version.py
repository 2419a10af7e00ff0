"""Which Python the app asks for, and whether the stack has it."""

import re
import sys
from pathlib import Path

from hythe_buildpack.report import detail, stop

STACK = f"{sys.version_info.major}.{sys.version_info.minor}"
FILES = (".python-version", "runtime.txt")
_VERSION = re.compile(r"(?:python-)?(\d+)(?:\.(\d+))?(?:\.(\d+))?")


def check(app: Path) -> None:
    """Say which Python is used; stop when the app asks for another."""
    full = f"{STACK}.{sys.version_info.micro}"
    for name in FILES:
        asked = _asked(app / name)
        if asked is None:
            continue
        match = _VERSION.fullmatch(asked)
        if match is None:
            stop(f"{name} does not name a Python version: {asked[:60]}", f"Write {STACK} into it.")
        numbers = [part for part in match.groups() if part]
        if numbers[:2] != STACK.split(".")[: len(numbers[:2])]:
            stop(
                f"{name} asks for Python {'.'.join(numbers)}, which this stack does not have.",
                f"Available is {STACK}: write {STACK} into {name}, or delete the file.",
            )
        detail(f"Using Python {full} ({name} asks for {'.'.join(numbers)})")
        return
    detail(f"Using Python {full}, the stack's own")


def _asked(file: Path) -> str | None:
    """The first line that says something."""
    if not file.is_file():
        return None
    lines = (
        line.partition("#")[0].strip() for line in file.read_text(errors="replace").splitlines()
    )
    return next((line for line in lines if line), None)
