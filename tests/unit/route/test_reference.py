"""Our parse beside llhttp's: what we accept, it accepts too, and reads the same.

llhttp is stricter in places and laxer in others, so only one direction is asked for.
"""

import httptools
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hythe.route.headers import BadHead
from hythe.route.options import Limits
from hythe.route.request import RequestParser
from hythe.route.response import ResponseParser

_NAMES = st.sampled_from(
    [
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Expect",
        "Upgrade",
        "A",
        "Cookie",
    ]
)
_VALUES = st.sampled_from(
    ["a", "chunked", "5", "05", "+5", "5, 5", "gzip, chunked", "close", "100-continue", "", " a\t"]
) | st.text(st.characters(max_codepoint=255), max_size=8)
_ENDS = st.sampled_from(["\r\n"] * 12 + ["\n", "\r", "\r\n ", "\r\r\n"])
_LINES = st.tuples(_NAMES, st.sampled_from([":"] * 9 + [" :", ""]), _VALUES, _ENDS).map("".join)
_BLOCKS = st.lists(_LINES, max_size=6).map("".join)
_REQUEST_LINES = st.sampled_from(
    ["POST / HTTP/1.1\r\n"] * 5 + ["GET /a?b HTTP/1.0\r\n", "GET  / HTTP/1.1\r\n"]
)
_STATUS_LINES = st.sampled_from(
    ["HTTP/1.1 200 OK\r\n"] * 5 + ["HTTP/1.0 404\r\n", "HTTP/1.1 20\r\n"]
)


class _Seen:
    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip(b" \t")))


def _whole(text: str) -> bytes:
    """What a connection takes for a head: up to the first empty line."""
    head = text.encode("latin-1")
    assume(head.find(b"\r\n\r\n") == len(head) - 4)
    return head


@settings(max_examples=500)
@given(_REQUEST_LINES, _BLOCKS)
def test_accepted_requests_mean_the_same_to_llhttp(line: str, block: str):
    head = _whole(f"{line}Host: a\r\n{block}\r\n")
    try:
        ours = RequestParser(Limits())(head)
    except BadHead:
        return
    seen = _Seen()
    reference = httptools.HttpRequestParser(seen)
    try:
        reference.feed_data(head)
    except httptools.HttpParserUpgrade:
        return
    assert reference.get_method() == ours.method
    lengths = [int(value) for name, value in seen.headers if name == b"content-length"]
    assert lengths == ([] if ours.length is None else [ours.length])
    assert ours.fields.chunked == any(name == b"transfer-encoding" for name, _ in seen.headers)
    assert b"\n\n" not in ours.block.passed.replace(b"\r", b"")


@settings(max_examples=500)
@given(_STATUS_LINES, _BLOCKS)
def test_accepted_responses_mean_the_same_to_llhttp(line: str, block: str):
    head = _whole(f"{line}{block}\r\n")
    try:
        ours = ResponseParser(Limits())(head)
    except BadHead:
        return
    seen = _Seen()
    reference = httptools.HttpResponseParser(seen)
    try:
        reference.feed_data(head)
    except httptools.HttpParserUpgrade:
        return
    assert reference.get_status_code() == ours.status
    lengths = [int(value) for name, value in seen.headers if name == b"content-length"]
    assert lengths == ([] if ours.length is None else [ours.length])
    assert ours.chunked == any(name == b"transfer-encoding" for name, _ in seen.headers)
