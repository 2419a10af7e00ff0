"""What a build does now, and how long what it did took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath

from hythe.build.result import Step


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
    def program(self, path: str) -> Iterator[None]:
        """A program of a buildpack: for detect it is not a step, for there are many."""
        name = "/".join(PurePath(path).parts[-3:])
        if name.endswith("/bin/build"):
            with self.step(name):
                yield
            return
        before, self.doing = self.doing, name
        yield
        self.doing = before
