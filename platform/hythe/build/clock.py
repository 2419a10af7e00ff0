"""What a build does now, and how long what it did took."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath

from hythe.build.result import Step

STEPS = ("/bin/build", "/bin/compile")
PROGRAMS = (*STEPS, "/bin/detect", "/bin/release")


class Clock:
    """Steps in order. A buildpack's program is named by the end of its path: `python/bin/build`."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.doing = "its start"

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        before, self.doing = self.doing, name
        started = time.monotonic()
        try:
            yield
        finally:  # where the time of a failed build went is worth as much
            self.steps.append(Step(name, time.monotonic() - started))
            self.doing = before

    @contextmanager
    def program(self, command: Sequence[str]) -> Iterator[None]:
        """A program of a buildpack: for detect it is not a step, for there are many."""
        name = program(command)
        if name.endswith(STEPS):
            with self.step(name):
                yield
            return
        before, self.doing = self.doing, name or self.doing
        yield
        self.doing = before


def program(command: Sequence[str]) -> str:
    """The buildpack's program that a command runs, whatever stands before it; else ""."""
    for argument in command:
        if argument.startswith("/") and argument.endswith(PROGRAMS):
            return "/".join(PurePath(argument).parts[-3:])
    return ""
