import pytest

from hythe.route import forward
from hythe.route.headers import BadHead
from hythe.route.options import Limits
from hythe.route.request import RequestParser
from hythe.route.response import ResponseHead, ResponseParser, accept_of

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"


def parse(text: str) -> ResponseHead:
    return ResponseParser(Limits())(text.replace("\n", "\r\n").encode() + b"\r\n")


def relay(response: str, request: str = "GET / HTTP/1.1\nHost: a\n") -> forward.Relay:
    head = RequestParser(Limits())(request.replace("\n", "\r\n").encode() + b"\r\n")
    return forward.response(parse(response), head, keep_alive=True, date=DATE)


@pytest.mark.parametrize(
    "text",
    [
        "HTTP/1.1 099 x\n",
        "HTTP/1.1 600 x\n",
        "HTTP/1.1 20 x\n",
        "HTTP/2 200 OK\n",
        "ICY 200 OK\n",
        "HTTP/1.1 200 OK\nContent-Length: 1\nTransfer-Encoding: chunked\n",
        "HTTP/1.1 200 OK\nContent-Length: 1\nContent-Length: 2\n",
        "HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n",
        "HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n",
        "HTTP/1.1 200 OK\nA: b\n c\n",
        "HTTP/1.1 200 OK\nA b\n",
    ],
)
def test_response_heads_that_are_refused(text: str):
    with pytest.raises(BadHead):
        parse(text)


def test_hop_by_hop_headers_end_at_the_router():
    sent = relay(
        "HTTP/1.1 200 OK\nConnection: keep-alive, X-Hop\nX-Hop: 1\nKeep-Alive: timeout=5\n"
        "Server: s\nContent-Length: 5 \n"
    )
    assert sent.head == (
        b"HTTP/1.1 200 OK\r\nServer: s\r\nDate: " + DATE + b"\r\nContent-Length: 5\r\n\r\n"
    )


def test_a_body_without_length_is_chunked_for_1_1_and_ends_with_the_connection_for_1_0():
    assert relay("HTTP/1.1 200 OK\n").chunks
    old = relay("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n", "GET / HTTP/1.0\nHost: a\n")
    assert not old.chunks
    assert not old.keep_alive
    assert b"Connection: close" in old.head


@pytest.mark.parametrize(
    ("status", "method", "length"),
    [(204, "GET", b""), (304, "GET", b"Content-Length: 7"), (200, "HEAD", b"Content-Length: 7")],
)
def test_responses_without_a_body(status: int, method: str, length: bytes):
    sent = relay(f"HTTP/1.1 {status} x\nContent-Length: 7\n", f"{method} / HTTP/1.1\nHost: a\n")
    assert not sent.chunks
    assert sent.keep_alive
    assert (b"Content-Length" in sent.head) == bool(length)
    assert length in sent.head


def test_accept_of_the_key_in_rfc_6455():
    assert accept_of(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
