"""Header blocks: parsed strictly, remembered line by line.

Both directions go through here and are equally strict (RFC 9112, sections 5 and 6). A block is the
bytes after the start line, up to and with the empty line.
"""

import enum
import re
from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

from hythe.route.memo import Memo
from hythe.route.options import Limits

T = TypeVar("T")


class BadHead(Exception):
    """A head that must not be relayed; `status` is what a client is answered."""

    def __init__(self, status: int, cause: str) -> None:
        self.status = status
        self.cause = cause
        super().__init__(cause)


class Field(NamedTuple):
    key: bytes  # lower-case
    name: bytes
    value: bytes


HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    )
)

# No space before the colon, no folding, no control bytes, and so no bare CR or LF.
_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)")
BARE_LF = re.compile(rb"(?<!\r)\n")
_DIGITS = re.compile(rb"\d{1,18}")


class _Kind(enum.Enum):
    SPECIAL = 1


class Block(NamedTuple, Generic[T]):
    raw: bytes
    fields: T  # what the special lines say
    length: int | None  # the Content-Length
    passed: bytes  # the other lines, as they are sent on
    listed: frozenset[bytes]  # names in Connection, whose lines are not sent on
    lines: int  # how many


class HeaderReader(Generic[T]):
    """Reads blocks of one direction.

    `special` tells which keys mean something to the router. `interpret` gets their fields in
    order, without Content-Length, and gives (what they say, the names that Connection lists).
    The lines of the block are remembered one by one and the special ones together, so a block of
    which one line is new costs little more than one that was seen before.
    """

    def __init__(
        self,
        limits: Limits,
        special: Callable[[bytes], bool],
        interpret: Callable[[list[Field]], tuple[T, frozenset[bytes]]],
    ) -> None:
        self._limits = limits
        self._special = special
        self.blocks = Memo(self._read)  # reads a block, or raises BadHead
        self._lines = Memo(self._line, entries=4096)
        self._said = Memo(lambda lines: interpret([_field(line) for line in lines.splitlines()]))

    def _read(self, block: bytes) -> Block[T]:
        at = block.find(b"\r\nCookie: ")
        if at < 0:
            at = block.find(b"\r\ncookie: ")
        return self._read_lines(block) if at < 0 else self._read_around(block, at)

    def _read_around(self, block: bytes, at: int) -> Block[T]:
        """Cookies change more than all else: look for what is around the one behind `at`."""
        end = block.find(b"\r\n", at + 2)
        around = self.blocks(block[:at] + block[end:])
        if around.lines >= self._limits.headers:
            raise BadHead(431, f"More than {self._limits.headers} headers")
        cookie = self._line(block[at + 2 : end])
        if type(cookie) is not bytes or b"cookie" in around.listed:
            cookie = b""
        _, fields, length, passed, listed, count = around
        return Block(block, fields, length, passed + cookie, listed, count + 1)

    def _read_lines(self, block: bytes) -> Block[T]:
        lines = block.split(b"\r\n")[:-2]
        if len(lines) > self._limits.headers:
            raise BadHead(431, f"More than {self._limits.headers} headers")
        entries: list[bytes | int | _Kind | None] = [*map(self._lines.young.get, lines)]
        if None in entries:
            pairs = zip(lines, entries, strict=True)
            entries = [self._lines(line) if entry is None else entry for line, entry in pairs]
        lengths = [entry for entry in entries if type(entry) is int]
        if len(lengths) > 1:
            raise BadHead(400, "More than one Content-Length")
        passed = [entry for entry in entries if type(entry) is bytes]
        special = [
            line for line, entry in zip(lines, entries, strict=True) if entry is _Kind.SPECIAL
        ]
        said, listed = self._said(b"\n".join(special))
        if listed:
            passed = [line for line in passed if line.partition(b":")[0].lower() not in listed]
        length = lengths[0] if lengths else None
        return Block(block, said, length, b"".join(passed), listed, len(lines))

    def _line(self, line: bytes) -> bytes | int | _Kind:
        """What a line is: bytes to send on, a Content-Length, or special."""
        if len(line) + 2 > self._limits.header_line:
            raise BadHead(431, f"A header line is longer than {self._limits.header_line} bytes")
        key, name, value = _field(line)
        if key == b"content-length":
            if not _DIGITS.fullmatch(value):
                raise BadHead(400, "Bad Content-Length")
            return int(value)
        if self._special(key):
            return _Kind.SPECIAL
        # To WSGI and CGI apps a name with `_` is the same as one with `-`, so it could pose as it.
        return b"" if b"_" in name else b"%s: %s\r\n" % (name, value)


def _field(line: bytes) -> Field:
    match = _LINE.fullmatch(line)
    if match is None:
        raise BadHead(400, "Bad header line")
    name, value = match.groups()
    return Field(name.lower(), name, value.strip(b" \t"))


def chunked(fields: Iterable[Field]) -> bool:
    """Whether the body is in chunks; no other transfer coding is understood."""
    codings = [field.value for field in fields if field.key == b"transfer-encoding"]
    if len(codings) > 1:
        raise BadHead(400, "More than one Transfer-Encoding")
    if codings and codings[0].lower() != b"chunked":
        raise BadHead(501, "The only Transfer-Encoding understood is chunked")
    return bool(codings)


def tokens(fields: Iterable[Field], key: bytes) -> frozenset[bytes]:
    """The lower-case members of a comma-separated header."""
    values = (field.value for field in fields if field.key == key)
    return frozenset(
        token for value in values for part in value.split(b",") if (token := part.strip().lower())
    )


def has(fields: Iterable[Field], key: bytes) -> bool:
    return any(field.key == key for field in fields)


def joined(fields: Iterable[Field], key: bytes) -> bytes:
    return b", ".join(field.value for field in fields if field.key == key)


def emit(fields: Iterable[Field]) -> bytes:
    """The lines of a new head."""
    return b"".join(b"%s: %s\r\n" % (field.name, field.value) for field in fields)
