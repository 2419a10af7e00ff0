"""Heads that are sent on: always new, with the router's own headers and one framing."""

from dataclasses import dataclass

from hythe.route.request import RequestHead
from hythe.route.response import ResponseHead


def forwarded_for(head: RequestHead, peer: str, trusted: bool) -> str:
    """The X-Forwarded-For to send: appended to only when the peer is trusted, else set."""
    before = head.fields.forwarded_for
    return f"{before.decode()}, {peer}" if trusted and before else peer


def request_head(
    head: RequestHead, *, fwd: str, request_id: str, start: float, trusted: bool
) -> bytes:
    """What the app is sent. `start` is the time of arrival in seconds since 1970."""
    fields = head.fields
    proto, host, port = b"http", fields.authority, fields.port
    if trusted:
        proto = fields.forwarded_proto or proto
        host = fields.forwarded_host or host
        port = fields.forwarded_port or port
    return (
        b"%s %s HTTP/1.1\r\nHost: %s\r\n%s"
        b"X-Forwarded-For: %s\r\nX-Forwarded-Proto: %s\r\nX-Forwarded-Host: %s\r\n"
        b"X-Forwarded-Port: %s\r\nX-Request-Id: %s\r\nX-Request-Start: t=%d\r\n"
        b"Via: %s1.1 hythe\r\n%s\r\n"
    ) % (
        head.method,
        head.target,
        fields.authority,
        fields.passed,
        fwd.encode(),
        proto,
        host,
        port or (b"443" if proto == b"https" else b"80"),
        request_id.encode(),
        int(start * 1000),
        fields.via + b", " if fields.via else b"",
        _framing(head),
    )


def _framing(head: RequestHead) -> bytes:
    fields = head.fields
    if fields.chunked:
        return b"Transfer-Encoding: chunked\r\n"
    if head.websocket:
        return b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    if fields.length is not None:
        return b"Content-Length: %d\r\n" % fields.length
    return b""


@dataclass(frozen=True, slots=True)
class Relay:
    """How a response reaches the client."""

    head: bytes
    chunks: bool  # the body is sent in chunks
    keep_alive: bool


def response(
    head: ResponseHead, request: RequestHead, *, keep_alive: bool, date: bytes, cookie: bytes = b""
) -> Relay:
    """`cookie` is a line of the router's own, with its end, or nothing."""
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
    dated = b"" if head.dated else b"Date: %s\r\n" % date
    start = head.start + cookie if cookie else head.start
    return Relay(b"%s%s%s%s\r\n" % (start, dated, framing, connection), chunks, keep_alive)
