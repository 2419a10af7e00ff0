"""Request heads: from the client's bytes to what the router may act on."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from hythe.route import headers
from hythe.route.headers import BadHead, Block, Field, HeaderReader
from hythe.route.memo import Memo
from hythe.route.options import Limits

# What may stand in a target: no spaces, no "#", no backslash, none of <>"{}|^.
_CHARACTERS = rb"[!$%&'()*+,\-./0-9:;=?@A-Z\[\]_`a-z~]+"
_LINE = re.compile(rb"([A-Z][A-Z_-]{0,31}) (" + _CHARACTERS + rb") HTTP/1\.([01])")
_ROUGHLY = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^ ]+) (\S+)")
_TARGET = re.compile(_CHARACTERS)
_ABSOLUTE = re.compile(rb"https?://([^/?]+)(/[^?]*)?(\?.*)?", re.IGNORECASE)
_AUTHORITY = re.compile(rb"(\[[0-9a-f:.]+\]|[a-z0-9._-]+?)\.?(?::(\d{1,5}))?")
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")
_SAFE_FORWARDED = re.compile(rb"[0-9A-Za-z:.,\[\] _-]{1,1024}")
_SAFE_PROTO = re.compile(b"https?")
_SAFE_HOST = re.compile(rb"[0-9A-Za-z:.\[\]_-]{1,255}")
_SAFE_PORT = re.compile(rb"\d{1,5}")
_SAFE_ID = re.compile(rb"[A-Za-z0-9._=+/:@-]{1,200}")

LINE_ROOM = 64  # of a request line, besides its target

_READ_AND_PASSED = frozenset((b"accept", b"sec-websocket-key", b"sec-websocket-version"))
_SPECIAL = (
    headers.HOP_BY_HOP
    | _READ_AND_PASSED
    | {b"host", b"expect", b"forwarded", b"via", b"x-request-id", b"x-request-start"}
)


@dataclass(frozen=True, slots=True)
class RequestFields:
    """What a request's header block says, but for its length. A function of its bytes alone."""

    host: str  # the name to route by: lower-case, without port and trailing dot
    authority: bytes  # the same with its port, as it is sent on
    port: bytes  # b"" when Host names none
    chunked: bool
    closes: bool
    keeps_alive: bool  # an explicit keep-alive, which HTTP/1.0 needs
    expects: bytes
    upgrades: bool
    websocket_key: bytes  # b"" unless the block is a whole WebSocket handshake
    wants_json: bool
    passed: bytes  # those of the lines that are sent on
    via: bytes
    forwarded_for: bytes  # this and the next four count only from a trusted peer
    forwarded_proto: bytes
    forwarded_host: bytes
    forwarded_port: bytes
    request_id: bytes
    plain: bool  # no rule of framing, upgrades or expectations applies


class RequestLine(NamedTuple):
    """A function of the line's bytes alone."""

    method: bytes
    target: bytes
    minor: int
    safe: bool  # the method may be repeated
    text: str  # for the access log


class RequestHead:
    __slots__ = (
        "block",
        "fields",
        "has_body",
        "keep_alive",
        "length",
        "method",
        "minor",
        "repeatable",
        "target",
        "text",
    )

    def __init__(self, line: RequestLine, block: Block[RequestFields]) -> None:
        self.method, self.target, self.minor, safe, self.text = line
        self.block = block
        fields = self.fields = block.fields
        length = self.length = block.length
        has_body = self.has_body = fields.chunked or bool(length)
        self.repeatable = safe and not has_body
        self.keep_alive = not fields.closes and (self.minor == 1 or fields.keeps_alive)

    @property
    def awaits_continue(self) -> bool:
        return bool(self.fields.expects) and self.minor == 1

    @property
    def websocket(self) -> bool:
        return bool(self.fields.websocket_key) and self.method == b"GET" and self.minor == 1


class RequestParser:
    """Parses whole heads; remembers the request lines and header blocks it has seen."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lines = Memo(self._read_line, largest=512)
        self._blocks = HeaderReader(limits, _is_special, _interpret).blocks

    def __call__(self, head: bytes) -> RequestHead:
        """`head` is a whole head up to and with its empty line. Raises BadHead."""
        line, _, block = head.partition(b"\r\n")
        return self.joined(line, self._blocks.young.get(block) or self._blocks(block))

    def joined(self, line: bytes, block: Block[RequestFields]) -> RequestHead:
        """A request line with a block that was read before. Raises BadHead."""
        request = RequestHead(self._lines.young.get(line) or self._lines(line), block)
        fields = request.fields
        if request.target[0] != 0x2F:
            request.target = _origin_form(request.method, request.target, fields)
            request.text = _text(request.method, request.target)
        if fields.plain:
            return request
        if fields.chunked:
            if request.length is not None:
                raise BadHead(400, "Content-Length together with Transfer-Encoding")
            if request.minor == 0:
                raise BadHead(400, "Transfer-Encoding in HTTP/1.0")
        if fields.upgrades and request.has_body:
            raise BadHead(400, "Upgrade with a body")
        if fields.expects and request.minor == 1 and fields.expects != b"100-continue":
            raise BadHead(417, "The only expectation understood is 100-continue")
        return request

    def _read_line(self, line: bytes) -> RequestLine:
        most = self._limits.target
        match = _LINE.fullmatch(line) if len(line) <= most + LINE_ROOM else None
        if match is None:
            raise _wrong_line(line, most)
        method, target, minor = match.groups()
        if len(target) > most:
            raise _too_long(most)
        if method in (b"CONNECT", b"TRACE"):
            raise BadHead(405, f"{method.decode()} is not allowed")
        safe = method in (b"GET", b"HEAD", b"OPTIONS")
        return RequestLine(method, target, minor[0] - 0x30, safe, _text(method, target))


def _text(method: bytes, target: bytes) -> str:
    return f'method={method.decode()} path="{target.decode()}"'


def check_beginning(buffer: bytes, limits: Limits) -> None:
    """Raise BadHead when no head can begin like this, whatever follows."""
    line = buffer.find(b"\r\n")
    if (line if line >= 0 else len(buffer)) > limits.target + LINE_ROOM:
        raise _too_long(limits.target)
    if len(buffer) > limits.head:
        raise BadHead(431, f"The head is longer than {limits.head} bytes")
    if headers.BARE_LF.search(buffer):
        raise BadHead(400, "A bare LF in the head")


def _too_long(most: int) -> BadHead:
    return BadHead(414, f"The URI is longer than {most} bytes")


def _wrong_line(line: bytes, most: int) -> BadHead:
    """What is wrong with a request line."""
    if len(line) > most + LINE_ROOM:
        return _too_long(most)
    match = _ROUGHLY.fullmatch(line)
    if match is None:
        return BadHead(400, "Bad request line")
    _, target, version = match.groups()
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        known = re.fullmatch(rb"HTTP/\d\.\d", version)
        return BadHead(505 if known else 400, "The router speaks HTTP/1.1 and HTTP/1.0")
    if not _TARGET.fullmatch(target):
        return BadHead(400, "The target has a character that must be percent-encoded")
    return BadHead(400, "Bad method")


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


def _is_special(key: bytes) -> bool:
    return key in _SPECIAL or key.startswith(b"x-forwarded-")


def _interpret(fields: list[Field]) -> tuple[RequestFields, frozenset[bytes]]:
    hosts = [field.value for field in fields if field.key == b"host"]
    if len(hosts) != 1:
        raise BadHead(400, "Exactly one Host is needed")
    authority, host, port = _authority(hosts[0])
    connection = headers.tokens(fields, b"connection")
    passed = _READ_AND_PASSED - connection
    chunked = headers.chunked(fields)
    expects = headers.joined(fields, b"expect").lower()
    upgrades = headers.has(fields, b"upgrade")
    return RequestFields(
        host=host,
        authority=authority,
        port=port,
        chunked=chunked,
        closes=b"close" in connection,
        keeps_alive=b"keep-alive" in connection,
        expects=expects,
        upgrades=upgrades,
        websocket_key=_websocket_key(fields, connection),
        wants_json=b"application/json" in headers.joined(fields, b"accept").lower(),
        passed=headers.emit(field for field in fields if field.key in passed),
        via=headers.joined(fields, b"via"),
        forwarded_for=_safe(fields, b"x-forwarded-for", _SAFE_FORWARDED),
        forwarded_proto=_safe(fields, b"x-forwarded-proto", _SAFE_PROTO),
        forwarded_host=_safe(fields, b"x-forwarded-host", _SAFE_HOST),
        forwarded_port=_safe(fields, b"x-forwarded-port", _SAFE_PORT),
        request_id=_safe(fields, b"x-request-id", _SAFE_ID),
        plain=not (chunked or expects or upgrades),
    ), connection - headers.HOP_BY_HOP - {b"close"}


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
