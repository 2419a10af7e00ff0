"""A bounded memory of parsed heads: clients and apps repeat theirs byte by byte.

What is remembered is a function of the bytes alone, never of the peer, the time or the table.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Memo(Generic[T]):
    """Call it with bytes; it answers like `parse`. Errors are not remembered."""

    __slots__ = ("_entries", "_known", "_largest", "_parse", "_room", "_size")

    def __init__(
        self,
        parse: Callable[[bytes], T],
        entries: int = 1024,
        size: int = 1024 * 1024,
        largest: int = 4096,
    ) -> None:
        self._parse = parse
        self._known: dict[bytes, T] = {}
        self._entries = entries
        self._size = size
        self._largest = largest
        self._room = size

    def __call__(self, block: bytes) -> T:
        known = self._known.get(block)
        if known is not None:
            return known
        parsed = self._parse(block)
        if len(block) <= self._largest:
            if len(self._known) >= self._entries or self._room < len(block):
                self._known.clear()
                self._room = self._size
            self._room -= len(block)
            self._known[block] = parsed
        return parsed

    def __len__(self) -> int:
        return len(self._known)
