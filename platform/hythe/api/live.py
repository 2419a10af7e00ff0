"""Documents that are followed: whoever follows one gets it at once, and again when it differs."""

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Callable

from anyio.to_thread import run_sync

SHORTEST_SECONDS = 0.25
"""Between two versions of a document: a rollout commits many times a second."""
POLL_SECONDS = 2.0
"""What other processes commit rings no bell here."""


class Changes:
    """Counts commits, and wakes the followers. `ring` may be called from any thread."""

    def __init__(self) -> None:
        self.count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bell = asyncio.Event()

    def ring(self) -> None:
        self.count += 1
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._bell.set()
        self._bell = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Until the next commit, at most so many seconds."""
        self._loop = asyncio.get_running_loop()
        try:
            await asyncio.wait_for(self._bell.wait(), seconds)
        except TimeoutError:
            return


class Document:
    """One document, made once for all who follow it. `make` returns None once there is none."""

    def __init__(self, changes: Changes, make: Callable[[], str | None]) -> None:
        self._changes = changes
        self._make = make
        self._lock = asyncio.Lock()
        self._text: str | None = None
        self._of = -1  # the count of commits that it has seen
        self._made = 0.0

    async def versions(self) -> AsyncIterator[str]:
        """The document now, then each version that differs; ends when there is none any more."""
        last: str | None = None
        while True:
            began, seen = time.monotonic(), self._changes.count
            text = await self._newest()
            if text is None:
                return
            if text != last:
                yield text
                last = text
            if seen == self._changes.count:
                await self._changes.wait(POLL_SECONDS)
            await asyncio.sleep(max(0.0, began + SHORTEST_SECONDS - time.monotonic()))

    async def _newest(self) -> str | None:
        async with self._lock:
            stale = time.monotonic() - self._made >= POLL_SECONDS
            if stale or self._of != self._changes.count:
                self._of = self._changes.count
                self._text = await run_sync(self._make)
                self._made = time.monotonic()
            return self._text


class Live:
    """The documents that somebody follows right now, by name."""

    def __init__(self) -> None:
        self.changes = Changes()
        self._documents: weakref.WeakValueDictionary[str, Document] = weakref.WeakValueDictionary()

    def document(self, name: str, make: Callable[[], str | None]) -> Document:
        """The document of this name; the followers hold it, and it goes with the last one."""
        found = self._documents.get(name)
        if found is None:
            found = self._documents[name] = Document(self.changes, make)
        return found
