"""A feed of names that any thread may fill, break or close."""

import queue

from hythe.errors import HytheError


class MemoryFeed:
    def __init__(self) -> None:
        self._items: queue.SimpleQueue[str | HytheError | None] = queue.SimpleQueue()

    def __iter__(self) -> "MemoryFeed":
        return self

    def __next__(self) -> str:
        item = self._items.get()
        if isinstance(item, str):
            return item
        self._items.put(item)  # the end stays the end
        if item is None:
            raise StopIteration
        raise item

    def add(self, item: str) -> None:
        self._items.put(item)

    def fail(self, error: HytheError) -> None:
        self._items.put(error)

    def close(self) -> None:
        self._items.put(None)
