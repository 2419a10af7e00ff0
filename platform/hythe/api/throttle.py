"""Slows guessing down: who fails often has to wait, longer each time."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from hythe.errors import TooManyAttempts

FORGET_SECONDS = 900.0
LONGEST_WAIT = 60.0
REMEMBERED = 10_000  # keys; the one that was quiet the longest is dropped for a new one


@dataclass(slots=True)
class _Record:
    attempts: int = 0
    last: float = 0.0


class Throttle:
    """Counts attempts that have not succeeded yet, by key, in this process only.

    The first `free` ones go through; each later one has to come 1, 2, 4 ... 60 s after the one
    before. Nobody is locked out for good, so nobody can lock somebody else out for good.
    """

    def __init__(self, free: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = free
        self._clock = clock
        self._records: OrderedDict[Hashable, _Record] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, key: Hashable) -> None:
        """Count an attempt before it is made; raises TooManyAttempts, which is not counted."""
        with self._lock:
            now = self._clock()
            record = self._records.get(key)
            if record is None or now - record.last > FORGET_SECONDS:
                record = self._records[key] = _Record()
            over = record.attempts - self._free
            wait = 0.0 if over < 0 else min(LONGEST_WAIT, 2.0 ** min(over, 10))
            if record.attempts and now - record.last < wait:
                raise _refusal(math.ceil(record.last + wait - now))
            record.attempts += 1
            record.last = now
            self._records.move_to_end(key)
            if len(self._records) > REMEMBERED:
                self._records.popitem(last=False)

    def forgive(self, key: Hashable) -> None:
        """Forget a key's attempts: it succeeded."""
        with self._lock:
            self._records.pop(key, None)


def _refusal(seconds: int) -> TooManyAttempts:
    error = TooManyAttempts(fix=f"Try again in {seconds} s.")
    error.retry_after = seconds
    return error


class SignInThrottle:
    """For each name, and more generously for each peer, who may stand for many people."""

    def __init__(self) -> None:
        self._names = Throttle(free=5)
        self._peers = Throttle(free=20)

    def admit(self, name: str, peer: str) -> None:
        self._peers.admit(peer)
        self._names.admit(name)

    def forgive(self, name: str, peer: str) -> None:
        self._peers.forgive(peer)
        self._names.forgive(name)
