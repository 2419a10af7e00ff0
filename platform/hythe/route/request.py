"""Request heads: from the client's bytes to what the router may act on."""

import re
from dataclasses import dataclass

from hythe.route import headers
from hythe.route.headers import BadHead, Field
from hythe.route.memo import Memo
from hythe.route.options import Limits

_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^ ]+) (\S+)")
_METHOD = re.compile(rb"[A-Z][A-Z_-]{0,31}")
# Everything that may stand in a target: no spaces, no "#", no backslash, none of <>"{}|^.
_TARGET = re.compile(rb"[!$%&'()*+,\-./0-9:;=?@A-Z\[\]_`a-z~]+")
_ABSOLUTE = re.compile(rb"https?://([^/?]+)(/[^?]*)?(\?.*)?", re.IGNORECASE)
_AUTHORITY = re.compile(rb"(\[[0-9a-f:.]+\]|[a-z0-9._-]+?)\.?(?::(\d{1,5}))?")
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")
_SAFE_FORWARDED = re.compile(rb"[0-9A-Za-z:.,\[\] _-]{1,1024}")
_SAFE_HOST = re.compile(rb"[0-9A-Za-z:.\[\]_-]{1,255}")
_SAFE_ID = re.compile(rb"[A-Za-z0-9._=+/:@-]{1,200}")

_OWN = headers.HOP_BY_HOP | {
    b"host",
    b"content-length",
    b"expect",
    b"forwarded",
    b"via",
    b"x-request-id",
    b"x-request-start",
}


@dataclass(frozen=True, slots=True)
class RequestFields:
    """What a request's header block says. A function of its bytes alone."""

    host: str  # the name to route by: lower-case, without port and trailing dot
    authority: bytes  # the same with its port, as it is sent on
    port: bytes  # b"" when Host names none
    length: int | None
    chunked: bool
    closes: bool
    keeps_alive: bool  # an explicit keep-alive, which HTTP/1.0 needs
    expects: bytes
    upgrades: bool
    websocket_key: bytes  # b"" unless the block is a whole WebSocket handshake
    wants_json: bool
    passed: bytes  # the lines that are sent on as they are
    via: bytes
    forwarded_for: bytes  # this and the next four count only from a trusted peer
    forwarded_proto: bytes
    forwarded_host: bytes
    forwarded_port: bytes
    request_id: bytes


@dataclass(slots=True)
class RequestHead:
    method: bytes
    target: bytes  # origin-form, or b"*"
    minor: int  # HTTP/1.minor
    fields: RequestFields

    @property
    def has_body(self) -> bool:
        return self.fields.chunked or bool(self.fields.length)

    @property
    def repeatable(self) -> bool:
        return self.method in (b"GET", b"HEAD", b"OPTIONS") and not self.has_body

    @property
    def keep_alive(self) -> bool:
        fields = self.fields
        return not fields.closes and (self.minor == 1 or fields.keeps_alive)

    @property
    def awaits_continue(self) -> bool:
        return bool(self.fields.expects) and self.minor == 1

    @property
    def websocket(self) -> bool:
        return bool(self.fields.websocket_key) and self.method == b"GET" and self.minor == 1


class RequestParser:
    """Parses whole heads; remembers the header blocks it has seen."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._fields = Memo(lambda block: _fields(headers.parse(block, limits)))

    def __call__(self, head: bytes) -> RequestHead:
        """`head` is a whole head up to and with its empty line. Raises BadHead."""
        line, _, block = head.partition(b"\r\n")
        if len(line) > self._limits.target + 64:
            raise BadHead(414, f"The URI is longer than {self._limits.target} bytes")
        method, target, minor = _request_line(line)
        if len(target) > self._limits.target:
            raise BadHead(414, f"The URI is longer than {self._limits.target} bytes")
        fields = self._fields(block)
        request = RequestHead(method, target, minor, fields)
        if target[0] != 0x2F:
            request.target = _origin_form(method, target, fields)
        if fields.chunked and minor == 0:
            raise BadHead(400, "Transfer-Encoding in HTTP/1.0")
        if fields.upgrades and request.has_body:
            raise BadHead(400, "Upgrade with a body")
        if request.awaits_continue and fields.expects != b"100-continue":
            raise BadHead(417, "The only expectation understood is 100-continue")
        return request


def _request_line(line: bytes) -> tuple[bytes, bytes, int]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise BadHead(400, "Bad request line")
    method, target, version = match.groups()
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        known = re.fullmatch(rb"HTTP/\d\.\d", version)
        raise BadHead(505 if known else 400, "The router speaks HTTP/1.1 and HTTP/1.0")
    if not _METHOD.fullmatch(method):
        raise BadHead(400, "Bad method")
    if method in (b"CONNECT", b"TRACE"):
        raise BadHead(405, f"{method.decode()} is not allowed")
    if not _TARGET.fullmatch(target):
        raise BadHead(400, "The target has a character that must be percent-encoded")
    return method, target, version[-1] - 0x30


def _origin_form(method: bytes, target: bytes, fields: RequestFields) -> bytes:
    if target == b"*":
        if method != b"OPTIONS":
            raise BadHead(400, "Only OPTIONS can ask for *")
        return target
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise BadHead(400, "Bad request target")
    authority, path, query = match.groups()
    if _authority(authority)[0] != fields.authority:
        raise BadHead(400, "The target's authority is not the Host")
    if method == b"OPTIONS" and not path and not query:
        return b"*"
    return (path or b"/") + (query or b"")


def _authority(value: bytes) -> tuple[bytes, str, bytes]:
    match = _AUTHORITY.fullmatch(value.lower())
    if match is None or len(value) > 255:
        raise BadHead(400, "Bad Host")
    name, port = match.group(1), match.group(2) or b""
    return name + (b":" + port if port else b""), name.decode(), port


def _fields(fields: list[Field]) -> RequestFields:
    hosts = [field.value for field in fields if field.key == b"host"]
    if len(hosts) != 1:
        raise BadHead(400, "Exactly one Host is needed")
    authority, host, port = _authority(hosts[0])
    length, chunked = headers.framing(fields)
    connection = headers.tokens(fields, b"connection")
    forwarded = frozenset(f.key for f in fields if f.key.startswith(b"x-forwarded-"))
    return RequestFields(
        host=host,
        authority=authority,
        port=port,
        length=length,
        chunked=chunked,
        closes=b"close" in connection,
        keeps_alive=b"keep-alive" in connection,
        expects=headers.joined(fields, b"expect").lower(),
        upgrades=headers.first(fields, b"upgrade") is not None,
        websocket_key=_websocket_key(fields, connection),
        wants_json=b"application/json" in headers.joined(fields, b"accept").lower(),
        passed=headers.emit(fields, _OWN | connection | forwarded),
        via=headers.joined(fields, b"via"),
        forwarded_for=_safe(fields, b"x-forwarded-for", _SAFE_FORWARDED),
        forwarded_proto=_safe(fields, b"x-forwarded-proto", re.compile(b"https?")),
        forwarded_host=_safe(fields, b"x-forwarded-host", _SAFE_HOST),
        forwarded_port=_safe(fields, b"x-forwarded-port", re.compile(rb"\d{1,5}")),
        request_id=_safe(fields, b"x-request-id", _SAFE_ID),
    )


def _safe(fields: list[Field], key: bytes, pattern: re.Pattern[bytes]) -> bytes:
    value = headers.joined(fields, key)
    return value if pattern.fullmatch(value) else b""


def _websocket_key(fields: list[Field], connection: frozenset[bytes]) -> bytes:
    """The key of a handshake that is whole (RFC 6455, 4.2.1), else b""."""
    if b"upgrade" not in connection or headers.tokens(fields, b"upgrade") != {b"websocket"}:
        return b""
    if headers.joined(fields, b"sec-websocket-version") != b"13":
        return b""
    key = headers.joined(fields, b"sec-websocket-key")
    return key if _KEY.fullmatch(key) else b""
