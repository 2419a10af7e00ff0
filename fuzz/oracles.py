"""What must hold for any bytes. Each raises AssertionError, or whatever a parser lets slip."""

import random
from contextlib import suppress

import httptools

from hythe.route import forward
from hythe.route.body import BadBody, ChunkedBody
from hythe.route.headers import BadHead
from hythe.route.options import Limits
from hythe.route.request import RequestParser
from hythe.route.response import ResponseParser

_LIMITS = Limits()
_parse_request = RequestParser(_LIMITS)  # one for all: what it remembers must never be wrong
_parse_response = ResponseParser(_LIMITS)


class _Seen:
    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip(b" \t")))

    def values(self, key: bytes) -> list[bytes]:
        return [value for name, value in self.headers if name == key]


def request(data: bytes) -> bool:
    """A head that is taken means the same to llhttp, and what is sent on is taken again."""
    head = _whole(data)
    try:
        taken = _parse_request(head)
    except BadHead:
        return False
    fresh = RequestParser(_LIMITS)(head)
    assert (taken.method, taken.target, taken.block) == (fresh.method, fresh.target, fresh.block)
    _agree(head, httptools.HttpRequestParser, taken.length, taken.fields.chunked)
    lines = forward.request_lines(taken, fwd="192.0.2.1", scheme=b"http", trusted=False)
    sent = forward.request_head(taken, lines, "0" * 32, 0.0)
    again = RequestParser(Limits(headers=200))(sent)
    assert (again.length, again.fields.chunked) == (taken.length, taken.fields.chunked)
    assert again.target == taken.target
    return True


def response(data: bytes) -> bool:
    """The same, for what comes from an app."""
    head = _whole(data)
    try:
        taken = _parse_response(head)
    except BadHead:
        return False
    _agree(head, httptools.HttpResponseParser, taken.length, taken.chunked)
    asked = RequestParser(_LIMITS)(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    relay = forward.response(taken, asked, keep_alive=True, date=b"now")
    if taken.status >= 200:
        again = ResponseParser(Limits(headers=200))(relay.head)
        assert again.chunked == relay.chunks
        assert not (again.chunked and again.length is not None)
    return True


def body(data: bytes) -> bool:
    """Chunks are the same however they are cut."""
    whole = _chunks([data])
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.randrange(6)))
    parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert _chunks(parts) == whole
    assert _chunks([data[i : i + 1] for i in range(len(data))]) == whole
    return whole is not None


def _chunks(parts: list[bytes]) -> tuple[bytes, bytes, bool] | None:
    decoder = ChunkedBody()
    payload = rest = b""
    try:
        for part in parts:
            if decoder.done:
                rest += part
                continue
            more, rest = decoder.feed(part)
            payload += more
    except BadBody:
        return None
    return payload, rest, decoder.done


def _whole(data: bytes) -> bytes:
    """What a connection takes for a head: up to the first empty line."""
    return data.partition(b"\r\n\r\n")[0].lstrip(b"\r\n") + b"\r\n\r\n"


def _agree(head: bytes, kind: type, length: int | None, chunked: bool) -> None:
    seen = _Seen()
    reference = kind(seen)
    with suppress(httptools.HttpParserUpgrade):
        try:
            reference.feed_data(head)
        except httptools.HttpParserInvalidMethodError:
            return  # it knows a list of methods, we take any token of capitals
        except httptools.HttpParserError as error:
            if "Pause on" not in str(error):  # it stops after a 101, as after an upgrade
                raise
    lengths = [int(value) for value in seen.values(b"content-length")]
    assert lengths == ([] if length is None else [length])
    assert chunked == bool(seen.values(b"transfer-encoding"))


ORACLES = {"request": request, "response": response, "body": body}
