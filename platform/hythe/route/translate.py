"""Requests and responses of HTTP/2 in the words of HTTP/1.1, so that the same rules hold for both.

RFC 9113, section 8; WebSockets by RFC 8441.
"""

import base64
import os
from collections.abc import Iterable

from hythe.route.headers import BadHead
from hythe.route.response import ResponseHead

Header = tuple[bytes, bytes]


def request_head(headers: Iterable[Header], *, ended: bool) -> bytes:
    """A head of HTTP/1.1 for the parser; `ended` says that no body follows. Raises BadHead.

    What the HTTP/2 library has checked before: names in lower case, no header of a connection,
    each pseudo header once and before the others.
    """
    pseudo: dict[bytes, bytes] = {}
    lines: list[bytes] = []
    crumbs: list[bytes] = []  # of the cookie
    names: set[bytes] = set()
    for name, value in headers:
        if b"\r" in value or b"\n" in value or b"\r" in name or b"\n" in name:
            raise BadHead(400, "A line break in a header")
        if name.startswith(b":") or name == b"host":
            pseudo[name] = value
        elif name == b"cookie":
            crumbs.append(value)
        else:
            names.add(name)
            lines.append(b"%s: %s\r\n" % (name, value))
    if crumbs:
        lines.append(b"cookie: %s\r\n" % b"; ".join(crumbs))
    method = pseudo.get(b":method", b"")
    if method == b"CONNECT" and pseudo.get(b":protocol") == b"websocket":
        method = b"GET"
        lines.append(_HANDSHAKE % base64.b64encode(os.urandom(16)))
    elif not ended and b"content-length" not in names:
        lines.append(b"transfer-encoding: chunked\r\n")
    authority, path = _place(method, pseudo)
    return b"%s %s HTTP/1.1\r\nhost: %s\r\n%s\r\n" % (method, path, authority, b"".join(lines))


def _place(method: bytes, pseudo: dict[bytes, bytes]) -> tuple[bytes, bytes]:
    """(authority, path)"""
    host = pseudo.get(b"host", b"")
    authority = pseudo.get(b":authority", host)
    if host and host.lower() != authority.lower():
        raise BadHead(400, "The authority is not the Host")
    path = pseudo.get(b":path", b"")
    if pseudo.get(b":scheme") != b"https" or not (path[:1] == b"/" or path == b"*"):
        raise BadHead(405 if method == b"CONNECT" else 400, "Bad scheme or path")
    return authority, path


_HANDSHAKE = b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: %s\r\n"


def response_headers(head: ResponseHead, added: bytes, date: bytes) -> list[Header]:
    """The headers of a response. `added` is more header lines, of the router's own."""
    status = b"200" if head.status == 101 else b"%d" % head.status
    headers = [(b":status", status)]
    for line in (head.passed + head.date + added).split(b"\r\n")[:-1]:
        name, _, value = line.partition(b": ")
        headers.append((name.lower(), value))
    if head.status >= 200 and not head.date:
        headers.append((b"date", date))
    if head.length is not None and head.status != 204:
        headers.append((b"content-length", b"%d" % head.length))
    return headers
