"""A bounded memory of what was parsed: clients and apps repeat theirs byte by byte.

What is remembered is a function of the bytes alone, never of the peer, the time or the table.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Memo(Generic[T]):
    """Call it with bytes; it answers like `parse`. Errors are not remembered, and other answers
    when they were asked for twice: what never comes again shall not push out what does.

    Two generations, each of at most half of `entries` and `size` (bytes of keys): when the young
    one is full it becomes the old one, so what is asked for often stays, whatever passes by.
    """

    __slots__ = ("_entries", "_largest", "_old", "_once", "_parse", "_room", "_size", "young")

    def __init__(
        self,
        parse: Callable[[bytes], T],
        entries: int = 1024,
        size: int = 1024 * 1024,
        largest: int = 4096,
    ) -> None:
        self._parse = parse
        self.young: dict[bytes, T] = {}
        self._old: dict[bytes, T] = {}
        self._once: set[int] = set()  # hashes of what was asked for once
        self._entries = entries // 2
        self._size = size // 2
        self._largest = largest
        self._room = self._size

    def __call__(self, key: bytes) -> T:
        known = self.young.get(key)
        if known is not None:
            return known
        known = self._old.get(key)
        if known is None:
            known = self._parse(key)
            mark = hash(key)
            if mark not in self._once:
                if len(self._once) >= self._entries:
                    self._once.clear()
                self._once.add(mark)
                return known
        if len(key) <= self._largest:
            self._keep(key, known)
        return known

    def _keep(self, key: bytes, parsed: T) -> None:
        if len(self.young) >= self._entries or self._room < len(key):
            self._old = self.young
            self.young = {}
            self._room = self._size
        self._room -= len(key)
        self.young[key] = parsed

    def __len__(self) -> int:
        return len(self.young) + len(self._old)
