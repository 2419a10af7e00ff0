"""Log lines as JSON, in POST requests."""

import base64
import http.client
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hythe.observe.drain_url import DrainUrl
from hythe.observe.line import LogLine
from hythe.observe.sending import PATIENCE_SECONDS, Undelivered, connect

LONGEST_ANSWER = 64 * 1024
UNACCEPTABLE = (400, 413, 422)  # a smaller batch may do; of a single line nothing will


def document(line: LogLine, app: str) -> dict[str, Any]:
    """One line. The names are those that most receivers look for."""
    return {
        "timestamp": datetime.fromtimestamp(line.time, UTC).isoformat(timespec="microseconds"),
        "message": line.text,
        "app": app,
        "source": line.source,
        "process": line.process,
        "instance": line.instance,
        "release": line.release,
        "stream": line.stream,
        "request_id": line.request_id,
    }


class HttpSender:
    """Sends arrays of lines; what is not answered by 2xx has not arrived. Redirects are not
    followed."""

    def __init__(self, url: DrainUrl, app: str) -> None:
        self._url = url
        self._app = app
        self._connection: http.client.HTTPConnection | None = None
        self._headers = {
            "Content-Type": "application/json",
            "Host": url.address,
            "User-Agent": "hythe",
        }
        if url.user or url.password:
            login = base64.b64encode(f"{url.user}:{url.password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {login}"

    def send(self, lines: Sequence[LogLine]) -> int:
        """Returns how many of them were refused for good; raises Undelivered."""
        return self._post([json.dumps(document(line, self._app)).encode() for line in lines])

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, encoded: Sequence[bytes]) -> int:
        status, again_in = self._ask(b"[" + b",".join(encoded) + b"]")
        if 200 <= status < 300:
            return 0
        if status not in UNACCEPTABLE:
            raise Undelivered(f"it answers {status}", again_in)
        if len(encoded) == 1:
            return 1
        half = len(encoded) // 2
        return self._post(encoded[:half]) + self._post(encoded[half:])

    def _ask(self, body: bytes) -> tuple[int, float | None]:
        """The status, and when to ask again if that is said; raises Undelivered."""
        fresh = self._connection is None
        try:
            return self._request(body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if fresh:
                raise _undelivered(error) from None
        try:  # it was kept alive, and the other side has closed it meanwhile
            return self._request(body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise _undelivered(error) from None

    def _request(self, body: bytes) -> tuple[int, float | None]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                self._url.host, self._url.port, timeout=PATIENCE_SECONDS
            )
            self._connection.auto_open = 0  # it would leave out TLS
            self._connection.sock = connect(self._url)
        self._connection.request("POST", self._url.target, body, self._headers)
        answer = self._connection.getresponse()
        if len(answer.read(LONGEST_ANSWER)) == LONGEST_ANSWER or answer.will_close:
            self.close()
        seconds = answer.headers.get("Retry-After", "")
        return answer.status, float(seconds) if seconds.isdecimal() else None


def _undelivered(error: OSError | http.client.HTTPException) -> Undelivered:
    if isinstance(error, OSError):
        return Undelivered.of(error)
    return Undelivered("its answer is not HTTP")
