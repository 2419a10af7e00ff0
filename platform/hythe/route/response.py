"""Response heads: from the app's bytes to the head that the client is sent."""

import base64
import hashlib
import re
from typing import NamedTuple

from hythe.route import headers
from hythe.route.headers import BadHead, Field, HeaderReader
from hythe.route.memo import Memo
from hythe.route.options import Limits

_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?")
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_SPECIAL = headers.HOP_BY_HOP | {b"date", b"sec-websocket-accept"}


class ResponseFields(NamedTuple):
    """What a response's header block says, but for its length. A function of its bytes alone."""

    chunked: bool
    closes: bool
    keeps_alive: bool
    date: bytes  # its line
    websocket_accept: bytes  # b"" unless the head upgrades to a WebSocket


class ResponseHead:
    """A function of the head's bytes alone."""

    __slots__ = (
        "chunked",
        "date",
        "keep_alive",
        "length",
        "line",
        "passed",
        "plain",
        "raw",
        "size",
        "status",
        "websocket_accept",
    )

    def __init__(
        self,
        status: int,
        reason: bytes,
        passed: bytes,
        *,
        minor: int = 1,
        length: int | None = None,
        fields: ResponseFields = ResponseFields(False, False, False, b"", b""),  # noqa: B008
        raw: bytes = b"",
    ) -> None:
        self.raw = raw
        self.size = len(raw)
        self.status = status
        self.line = b"HTTP/1.1 %d %s\r\n" % (status, reason)
        self.passed = passed  # the lines that are sent on as they are
        self.length = length
        self.chunked = fields.chunked
        self.keep_alive = not fields.closes and (minor == 1 or fields.keeps_alive)
        self.date = fields.date
        self.websocket_accept = fields.websocket_accept
        # The whole head as a client of a kept-alive HTTP/1.1 connection gets it, for the most
        # frequent kind; b"" when it takes more than that to say how the body ends.
        self.plain = b""
        if self.date and length is not None and status not in (204, 304):
            self.plain = b"%s%s%sContent-Length: %d\r\n\r\n" % (
                self.line,
                passed,
                self.date,
                length,
            )

    def bodiless(self, method: bytes) -> bool:
        return method == b"HEAD" or self.status in (204, 304)


class ResponseParser:
    """Parses whole heads; remembers those it has seen."""

    def __init__(self, limits: Limits) -> None:
        self.heads = Memo(self._parse)
        self._blocks = HeaderReader(limits, _SPECIAL.__contains__, _interpret).blocks

    def __call__(self, head: bytes) -> ResponseHead:
        """`head` is a whole head up to and with its empty line. Raises BadHead."""
        return self.heads(head)

    def _parse(self, head: bytes) -> ResponseHead:
        line, _, block = head.partition(b"\r\n")
        match = _LINE.fullmatch(line)
        if match is None:
            raise BadHead(502, "Bad status line")
        minor, status, reason = match.groups()
        _, fields, length, passed, _, _ = self._blocks(block)
        if fields.chunked:
            if length is not None:
                raise BadHead(502, "Content-Length together with Transfer-Encoding")
            if minor == b"0":
                raise BadHead(502, "Transfer-Encoding in HTTP/1.0")
        return ResponseHead(
            int(status),
            reason or b"",
            passed,
            minor=int(minor),
            length=length,
            fields=fields,
            raw=head,
        )


def accept_of(key: bytes) -> bytes:
    """The Sec-WebSocket-Accept that answers a key."""
    return base64.b64encode(hashlib.sha1(key + _GUID).digest())


def _interpret(fields: list[Field]) -> tuple[ResponseFields, frozenset[bytes]]:
    connection = headers.tokens(fields, b"connection")
    upgraded = b"upgrade" in connection and headers.tokens(fields, b"upgrade") == {b"websocket"}
    return ResponseFields(
        chunked=headers.chunked(fields),
        closes=b"close" in connection,
        keeps_alive=b"keep-alive" in connection,
        date=headers.emit([field for field in fields if field.key == b"date"][:1]),
        websocket_accept=headers.joined(fields, b"sec-websocket-accept") if upgraded else b"",
    ), connection - headers.HOP_BY_HOP - {b"close"}
