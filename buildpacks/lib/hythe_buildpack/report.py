"""What the buildpack prints, and how it fails: a cause, and the exact fix."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn


class Stop(Exception):
    """The build cannot go on."""

    def __init__(self, cause: str, fix: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.fix = fix


def step(text: str) -> None:
    print(f"-----> {text}", flush=True)


def detail(text: str) -> None:
    print(f"       {text}", flush=True)


def warn(text: str) -> None:
    """A warning; a step or detail must follow it, or it reads as the cause of a failure."""
    print(f" !     {text}", flush=True)


def stop(cause: str, fix: str) -> NoReturn:
    raise Stop(cause, fix)


def carry_out(build: Callable[[Path, Path], None], app: Path, layers: Path) -> int:
    """Build; returns the exit code of bin/build, after the cause and the fix where it stopped."""
    try:
        build(app, layers)
    except Stop as error:
        warn(error.cause)
        warn(error.fix)
        return 1
    return 0
