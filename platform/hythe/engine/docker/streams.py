"""The engine's output streams: frames of stdout and stderr to lines, and feeds that close."""

import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress

import requests
from docker.types import CancellableStream

from hythe.engine.docker.client import speaking
from hythe.errors import EngineAway

LONGEST_LINE = 64 * 1024  # a longer one is cut into several


def frames(response: requests.Response) -> Iterator[tuple[int, bytes]]:
    """The (stream, bytes) of a multiplexed answer; stream 1 is stdout, 2 stderr."""
    with response, speaking():
        while len(header := response.raw.read(8)) == 8:
            stream, size = struct.unpack(">BxxxL", header)
            yield stream, response.raw.read(size)


def lines(pieces: Iterable[tuple[int, bytes]]) -> Iterator[str]:
    """Whole lines in the order in which they ended; the two streams never mix within one."""
    rest: dict[int, bytes] = {}
    for stream, data in pieces:
        *whole, rest[stream] = (rest.get(stream, b"") + data).split(b"\n")
        yield from map(text, whole)
        if len(rest[stream]) >= LONGEST_LINE:
            yield text(rest.pop(stream))
    yield from (text(left) for left in rest.values() if left)


def text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")


class DockerFeed:
    """Items read from an answer; `close` from any thread ends it."""

    def __init__(self, response: requests.Response, items: Iterator[str]) -> None:
        self._response = response
        self._items = items
        self._closed = False

    def __iter__(self) -> "DockerFeed":
        return self

    def __next__(self) -> str:
        try:
            return next(self._items)
        except EngineAway:
            if self._closed:
                raise StopIteration from None
            raise

    def close(self) -> None:
        self._closed = True
        with suppress(AttributeError, OSError):  # it may be ending by itself just now
            CancellableStream(self._items, self._response).close()
