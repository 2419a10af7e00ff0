"""Time that passes when the simulation says so, and what is due when."""

import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2030, 1, 1, tzinfo=UTC)

Job = Callable[[], None]


class Clock:
    """One clock for the rows, the loop, the engine and the routers."""

    def __init__(self) -> None:
        self.seconds = 0.0  # since the start

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def unix(self) -> float:
        return self.now().timestamp()

    def monotonic(self) -> float:
        return self.seconds


class Agenda:
    """What happens by itself, at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: list[tuple[float, int, Job]] = []
        self._serial = itertools.count()

    def add(self, seconds: float, job: Job) -> None:
        """Do it in so many seconds."""
        heapq.heappush(self._jobs, (self._clock.seconds + seconds, next(self._serial), job))

    def take(self) -> Job | None:
        """The first job whose time has come."""
        if self._jobs and self._jobs[0][0] <= self._clock.seconds:
            return heapq.heappop(self._jobs)[2]
        return None

    def next_due(self) -> float | None:
        return self._jobs[0][0] if self._jobs else None
