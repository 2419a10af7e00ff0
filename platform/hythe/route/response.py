"""Response heads: from the app's bytes to the head that the client is sent."""

import base64
import hashlib
import re
from dataclasses import dataclass

from hythe.route import headers
from hythe.route.headers import BadHead, Field
from hythe.route.memo import Memo
from hythe.route.options import Limits

_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?")
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A function of the head's bytes alone."""

    status: int
    start: bytes  # the new status line and the lines that are sent on as they are
    length: int | None
    chunked: bool
    keep_alive: bool
    dated: bool
    websocket_accept: bytes  # b"" unless the head upgrades to a WebSocket

    def bodiless(self, method: bytes) -> bool:
        return method == b"HEAD" or self.status in (204, 304)


class ResponseParser:
    """Parses whole heads; remembers those it has seen."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._memo = Memo(self._parse)

    def __call__(self, head: bytes) -> ResponseHead:
        """`head` is a whole head up to and with its empty line. Raises BadHead."""
        return self._memo(head)

    def _parse(self, head: bytes) -> ResponseHead:
        line, _, block = head.partition(b"\r\n")
        match = _LINE.fullmatch(line)
        if match is None:
            raise BadHead(502, "Bad status line")
        minor, status, reason = match.groups()
        return _head(int(minor), int(status), reason or b"", headers.parse(block, self._limits))


def accept_of(key: bytes) -> bytes:
    """The Sec-WebSocket-Accept that answers a key."""
    return base64.b64encode(hashlib.sha1(key + _GUID).digest())


def _head(minor: int, status: int, reason: bytes, fields: list[Field]) -> ResponseHead:
    length, chunked = headers.framing(fields)
    if chunked and minor == 0:
        raise BadHead(502, "Transfer-Encoding in HTTP/1.0")
    connection = headers.tokens(fields, b"connection")
    dropped = headers.HOP_BY_HOP | connection | {b"content-length"}
    upgraded = b"upgrade" in connection and headers.tokens(fields, b"upgrade") == {b"websocket"}
    accept = headers.joined(fields, b"sec-websocket-accept") if upgraded else b""
    keeps = b"close" not in connection and (minor == 1 or b"keep-alive" in connection)
    line = b"HTTP/1.1 %d %s\r\n" % (status, reason)
    return ResponseHead(
        status=status,
        start=line + headers.emit(fields, dropped),
        length=length,
        chunked=chunked,
        keep_alive=keeps,
        dated=headers.first(fields, b"date") is not None,
        websocket_accept=accept,
    )
