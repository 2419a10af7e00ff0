"""Heads that are sent on: always new, with the router's own headers and one framing."""

from typing import NamedTuple

from hythe.route.request import RequestHead
from hythe.route.response import ResponseHead


def forwarded_for(head: RequestHead, peer: str, trusted: bool) -> str:
    """The X-Forwarded-For to send: appended to only when the peer is trusted, else set."""
    before = head.fields.forwarded_for
    return f"{before.decode()}, {peer}" if trusted and before else peer


def request_lines(head: RequestHead, *, fwd: str, scheme: bytes, trusted: bool) -> bytes:
    """The lines of the router's own that the app is sent: a function of the special lines."""
    fields = head.fields
    proto, host, port = scheme, fields.authority, fields.port
    if trusted:
        proto = fields.forwarded_proto or proto
        host = fields.forwarded_host or host
        port = fields.forwarded_port or port
    return (
        b"Host: %s\r\n%s"
        b"X-Forwarded-For: %s\r\nX-Forwarded-Proto: %s\r\nX-Forwarded-Host: %s\r\n"
        b"X-Forwarded-Port: %s\r\nVia: %s1.1 hythe\r\n"
    ) % (
        fields.authority,
        fields.passed,
        fwd.encode(),
        proto,
        host,
        port or (b"443" if proto == b"https" else b"80"),
        fields.via + b", " if fields.via else b"",
    )


def request_head(head: RequestHead, lines: bytes, request_id: str, start: float) -> bytes:
    """What the app is sent. `start` is the time of arrival in seconds since 1970."""
    framed = head.length is not None or head.has_body or head.fields.upgrades
    return b"%s %s HTTP/1.1\r\n%s%sX-Request-Id: %s\r\nX-Request-Start: t=%d\r\n%s\r\n" % (
        head.method,
        head.target,
        lines,
        head.block.passed,
        request_id.encode(),
        start * 1000,
        _framing(head) if framed else b"",
    )


def _framing(head: RequestHead) -> bytes:
    if head.fields.chunked:
        return b"Transfer-Encoding: chunked\r\n"
    if head.websocket:
        return b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    if head.length is not None:
        return b"Content-Length: %d\r\n" % head.length
    return b""


class Relay(NamedTuple):
    """How a response reaches a client of HTTP/1."""

    head: bytes
    chunks: bool  # the body is sent in chunks
    keep_alive: bool


def response(
    head: ResponseHead, request: RequestHead, *, keep_alive: bool, date: bytes, added: bytes = b""
) -> Relay:
    """`added` is more header lines, of the router's own."""
    if head.plain and keep_alive and request.minor == 1 and not added:
        return Relay(head.plain, False, True)
    chunks = False
    framing = b""
    if head.bodiless(request.method) or head.length is not None:
        if head.length is not None and head.status != 204:
            framing = b"Content-Length: %d\r\n" % head.length
    elif request.minor == 0:
        keep_alive = False  # the end of the connection ends the body
    else:
        chunks = True
        framing = b"Transfer-Encoding: chunked\r\n"
    connection = b""
    if not keep_alive:
        connection = b"Connection: close\r\n"
    elif request.minor == 0:
        connection = b"Connection: keep-alive\r\n"
    whole = b"%s%s%s%s%s%s\r\n" % (
        head.line,
        head.passed,
        head.date or b"Date: %s\r\n" % date,
        added,
        framing,
        connection,
    )
    return Relay(whole, chunks, keep_alive)


def refusal(head: ResponseHead, date: bytes) -> bytes:
    """The head of an answer to what could not be read as a request."""
    return b"%s%sDate: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (
        head.line,
        head.passed,
        date,
        head.length or 0,
    )
