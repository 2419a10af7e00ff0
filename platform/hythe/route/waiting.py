"""Requests of one app that wait: for a place at a busy target, or for a paused app."""

import asyncio
from collections import deque
from typing import Protocol


class Waiter(Protocol):
    def start(self) -> None:
        """Try again, by the current table."""


class Waiting:
    """First come, first served. Whoever is woken and must wait on goes to the front again."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: deque[Waiter] = deque()
        self._woken: dict[Waiter, None] = {}

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, waiter: Waiter) -> None:
        self._queue.append(waiter)

    def add_again(self, waiter: Waiter) -> None:
        self._queue.appendleft(waiter)

    def discard(self, waiter: Waiter) -> None:
        self._woken.pop(waiter, None)
        if waiter in self._queue:
            self._queue.remove(waiter)

    def next(self) -> None:
        """A place is free."""
        if self._queue:
            self._wake(self._queue.popleft())

    def all(self) -> None:
        """The table changed. The last is woken first, so that the order stays."""
        while self._queue:
            self._wake(self._queue.popleft())

    def _wake(self, waiter: Waiter) -> None:
        if not self._woken:
            self._loop.call_soon(self._start_woken)
        self._woken[waiter] = None

    def _start_woken(self) -> None:
        while self._woken:
            waiter = next(iter(self._woken))
            del self._woken[waiter]
            waiter.start()
