"""What the buildpack prints, and how it fails: a cause, and the exact fix."""

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
