"""HTTP to the API with the standard library's client.

Importing httpx takes longer than a whole command should: it brings its own command line along.
"""

import http.client
import itertools
import json
import secrets
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import SplitResult, urlencode, urlsplit

from hythe.cli.credentials import Credentials
from hythe.cli.failure import Absent, Away, Failure, OutOfReach
from hythe.cli.trust import PinnedConnection, is_here

if TYPE_CHECKING:
    from hythe.cli.websocket import WebSocket

BLOCK = 1 << 16
TIMEOUT = 60.0  # seconds of silence; streams say that they live every 15


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event."""

    kind: str
    data: str
    id: str  # the place to resume after; an event of the kind `message` may say only this


class Transport:
    """Sends requests, and raises Failure for the problems that come back."""

    def __init__(self, credentials: Credentials) -> None:
        self.url = credentials.url
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise OutOfReach(f"'{self.url}' is not an API address.", "Use https://HOST:PORT.")
        self._connection = _connection(parts, credentials.fingerprint)
        self._headers = {"Authorization": f"Bearer {credentials.token}"}

    def request(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Send a JSON request; the decoded answer, None when there is none."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data is not None else {}
        response = self._send(method, path, data, headers, query)
        return _decode(self._read(response))

    def upload(self, path: str, file: BinaryIO, size: int, kind: str, **query: Any) -> Any:
        headers = {"Content-Type": kind, "Content-Length": str(size)}
        response = self._send("POST", path, file, headers, query)
        return _decode(self._read(response))

    def upload_form(
        self, path: str, fields: dict[str, str], name: str, file: BinaryIO, size: int
    ) -> Any:
        """Send a file in a form (RFC 7578), without reading it into memory."""
        boundary = secrets.token_hex(16)
        head = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in fields.items()
        )
        head += (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
            "Content-Type: application/gzip\r\n\r\n"
        )
        first, last = head.encode(), f"\r\n--{boundary}--\r\n".encode()
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(first) + size + len(last)),
        }
        blocks = iter(lambda: file.read(BLOCK), b"")
        body = itertools.chain([first], blocks, [last])
        return _decode(self._read(self._send("POST", path, body, headers, {})))

    def text(self, path: str) -> str:
        return self._read(self._send("GET", path, None, {}, {})).decode(errors="replace")

    def events(self, path: str, **query: Any) -> Iterator[Event]:
        """Server-sent events until the stream ends; raises Away when it breaks."""
        response = self._send("GET", path, None, {}, query)
        kind, data, place = "message", list[str](), ""
        try:
            while raw := response.readline():
                name, _, value = raw.decode(errors="replace").rstrip("\r\n").partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    data.append(value)
                elif name == "id":
                    place = value
                elif not name and (data or place):
                    yield Event(kind, "\n".join(data), place)
                    kind, data, place = "message", [], ""
        except (OSError, http.client.HTTPException):
            raise self._broken() from None
        finally:
            self._connection.close()

    def websocket(self, path: str, subprotocol: str) -> "WebSocket":
        """Open a WebSocket; raises Failure for the problem that comes back instead."""
        from hythe.cli.websocket import WebSocket

        self._connection.close()
        try:
            self._connection.connect()
            socket = self._connection.sock
            assert socket is not None
            opened = WebSocket(socket, self._connection.host, path, self._headers, subprotocol)
        except OSError:
            raise self._away() from None
        if opened.refusal is not None:
            raise _failure(*opened.refusal)
        return opened

    def _send(
        self, method: str, path: str, body: Any, headers: dict[str, str], query: dict[str, Any]
    ) -> http.client.HTTPResponse:
        given = {key: value for key, value in query.items() if value is not None}
        target = f"{path}?{urlencode(given)}" if given else path
        try:
            self._connection.request(method, target, body, {**self._headers, **headers})
        except (BrokenPipeError, ConnectionResetError):
            pass  # an upload that is refused: the answer says why
        except ssl.SSLCertVerificationError as error:
            raise OutOfReach(
                f"The certificate of {self.url} is not trusted: {error.verify_message}.",
                f"If it is your server's own, pin it: `hythe login {self.url}`.",
            ) from None
        except OSError:
            self._connection.close()  # or the next request could not be sent
            raise self._away() from None
        try:
            response = self._connection.getresponse()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise self._away() from None
        if response.status >= 400:
            failure = _failure(response.status, self._read(response))
            self._connection.close()
            raise failure
        return response

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read()
        except (OSError, http.client.HTTPException):
            raise self._broken() from None

    def _away(self) -> Away:
        self._connection.close()  # so that the next request may try again
        return Away(
            f"The control plane at {self.url} does not answer.",
            "Start it with `bin/up`, or check HYTHE_API.",
        )

    def _broken(self) -> Away:
        return Away(
            f"The connection to {self.url} broke off.",
            "What was started goes on; `hythe releases` shows how it ended.",
        )


def _connection(parts: SplitResult, pin: str) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "https":
        if pin:
            return PinnedConnection(host, parts.port, timeout=TIMEOUT, pin=pin)
        return http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT)
    if not is_here(parts.geturl()):
        raise OutOfReach(
            f"Over {parts.geturl()} anybody on the way could read the token: it was not sent.",
            f"Use https://: `hythe login https://{parts.netloc}`.",
        )
    return http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT)


def _decode(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        raise OutOfReach("The answer does not come from Hythe.", "Check HYTHE_API.") from None


def _failure(status: int, raw: bytes) -> Failure:
    """The problem+json of an answer as a failure."""
    kinds = {401: OutOfReach, 403: OutOfReach, 404: Absent, 421: OutOfReach, 503: Away}
    kind = kinds.get(status, Failure)
    try:
        problem = json.loads(raw)
        return kind(problem["detail"], problem["fix"])
    except (ValueError, KeyError, TypeError):
        return OutOfReach(f"The answer was {status}, and not from Hythe.", "Check HYTHE_API.")
