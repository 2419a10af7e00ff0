"""Header blocks: checked by llhttp and by the rules that it leaves to us.

Both directions go through here and are equally strict. The block is the bytes after the start line,
up to and with the empty line.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

import httptools

from hythe.route.options import Limits


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

_DIGITS = re.compile(rb"\d{1,18}")


class _Collector:
    def __init__(self) -> None:
        self.fields: list[Field] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append(Field(name.lower(), name, value.strip(b" \t")))


def parse(block: bytes, limits: Limits) -> list[Field]:
    """The fields of a block. Names with `_` are dropped: to WSGI apps they alias to `-`."""
    collector = _Collector()
    try:
        # A fixed start line: start lines have stricter rules of their own, see request, response.
        httptools.HttpRequestParser(collector).feed_data(b"POST / HTTP/1.1\r\n" + block)
    except httptools.HttpParserUpgrade:
        pass  # llhttp stops after such a head, which is all that it was given
    except httptools.HttpParserError as error:
        framing(collector.fields)
        raise BadHead(400, f"Bad header: {error}") from None
    fields = collector.fields
    if len(fields) > limits.headers:
        raise BadHead(431, f"More than {limits.headers} headers")
    if any(len(field.name) + len(field.value) + 4 > limits.header_line for field in fields):
        raise BadHead(431, f"A header line is longer than {limits.header_line} bytes")
    return [field for field in fields if b"_" not in field.name]


def framing(fields: Iterable[Field]) -> tuple[int | None, bool]:
    """(length, chunked) of the body that a head announces."""
    lengths = [field.value for field in fields if field.key == b"content-length"]
    codings = [field.value for field in fields if field.key == b"transfer-encoding"]
    if codings:
        if lengths:
            raise BadHead(400, "Content-Length together with Transfer-Encoding")
        if len(codings) > 1 or codings[0].lower() != b"chunked":
            raise BadHead(501, "The only Transfer-Encoding understood is chunked")
        return None, True
    if not lengths:
        return None, False
    if len(lengths) > 1 or not _DIGITS.fullmatch(lengths[0]):
        raise BadHead(400, "Bad Content-Length")
    return int(lengths[0]), False


def tokens(fields: Iterable[Field], key: bytes) -> frozenset[bytes]:
    """The lower-case members of a comma-separated header."""
    values = (field.value for field in fields if field.key == key)
    return frozenset(
        token for value in values for part in value.split(b",") if (token := part.strip().lower())
    )


def first(fields: Iterable[Field], key: bytes) -> bytes | None:
    return next((field.value for field in fields if field.key == key), None)


def joined(fields: Iterable[Field], key: bytes) -> bytes:
    return b", ".join(field.value for field in fields if field.key == key)


def emit(fields: Iterable[Field], dropped: frozenset[bytes]) -> bytes:
    """The lines of a new head."""
    return b"".join(
        b"%s: %s\r\n" % (field.name, field.value) for field in fields if field.key not in dropped
    )
