"""Bodies in transit: where one ends, and nothing else. Data passes by reference where it can.

`feed(data)` gives (payload, rest): the decoded bytes, and what follows the body's end.
"""

import re
from collections.abc import Callable
from typing import Any, Protocol


class BadBody(Exception):
    """The chunked framing is broken; the message says how."""


class Body(Protocol):
    done: bool

    def feed(self, data: bytes) -> tuple[bytes, bytes]: ...


class LengthBody:
    __slots__ = ("done", "left")

    def __init__(self, length: int) -> None:
        self.left = length
        self.done = length == 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        size = len(data)
        if size < self.left:
            self.left -= size
            return data, b""
        payload, rest = (data, b"") if size == self.left else (data[: self.left], data[self.left :])
        self.left = 0
        self.done = True
        return payload, rest


class EndlessBody:
    """Ends when its connection does."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        return data, b""


_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})([ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")
_LONGEST_LINE = 4096
_ALL_TRAILERS = 16 * 1024
_LARGEST_CHUNK = 1 << 53


class ChunkedBody:
    """Strict chunked decoding: extensions and trailers are checked, capped and dropped."""

    __slots__ = ("_left", "_line", "_state", "_trailers", "done")

    def __init__(self) -> None:
        self.done = False
        self._state: Callable[[bytes], Any] = self._size  # takes a line, gives the next state
        self._line = b""  # an unfinished line
        self._left = 0  # bytes of the open chunk
        self._trailers = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and not self.done:
            if self._left:
                piece = data[at : at + self._left]
                self._left -= len(piece)
                at += len(piece)
                pieces.append(piece)
                continue
            end = data.find(b"\n", at)
            part = data[at : end + 1] if end >= 0 else data[at:]
            at += len(part)
            self._line += part
            if len(self._line) > _LONGEST_LINE:
                raise BadBody("a line of the chunked framing is too long")
            if end >= 0:
                self._end_line()
        return b"".join(pieces) if len(pieces) != 1 else pieces[0], data[at:]

    def _end_line(self) -> None:
        line, self._line = self._line, b""
        if not line.endswith(b"\r\n"):
            raise BadBody("a bare LF in the chunked framing")
        self._state = self._state(line[:-2])

    def _size(self, line: bytes) -> Any:
        match = _SIZE.fullmatch(line)
        if match is None:
            raise BadBody("bad chunk size")
        self._left = int(match.group(1), 16)
        if self._left > _LARGEST_CHUNK:
            raise BadBody("chunk size out of range")
        return self._after_chunk if self._left else self._trailer

    def _after_chunk(self, line: bytes) -> Any:
        if line:
            raise BadBody("data after the end of a chunk")
        return self._size

    def _trailer(self, line: bytes) -> Any:
        self._trailers += len(line)
        if not line:
            self.done = True
        elif self._trailers > _ALL_TRAILERS or not _TRAILER.fullmatch(line):
            raise BadBody("bad trailers")
        return self._trailer


def chunk(payload: bytes) -> bytes:
    """One chunk; an empty payload is no chunk at all, for that would end the body."""
    return b"%x\r\n%s\r\n" % (len(payload), payload) if payload else b""


LAST_CHUNK = b"0\r\n\r\n"
