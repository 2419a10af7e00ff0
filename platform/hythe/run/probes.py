"""One question to an instance: HTTP, a TCP connection, or a command inside it."""

import http.client
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from hythe.engine.port import Sessions
from hythe.errors import EngineError
from hythe.healthcheck import HealthCheck

MOST_CONTENT = 1024 * 1024  # bytes of a body that are looked through


@dataclass(frozen=True, slots=True)
class Answer:
    """The last thing that an instance said."""

    status: int | None  # of the response, None when there was none
    said: str  # "answered 200 on /", "refuses connections on port 5000"
    passed: bool | None = None  # None: a status below 500 passes

    @property
    def unheard(self) -> bool:
        """Whether it gave no answer at all."""
        return self.status is None and self.passed is None

    @property
    def ready(self) -> bool:
        if self.passed is not None:
            return self.passed
        return self.status is not None and self.status < 500


Probe = Callable[[], Answer]


def ask(
    address: str, port: int, host: str, path: str = "/", check: HealthCheck | None = None
) -> Answer:
    """One GET, read to its end."""
    check = check or HealthCheck()
    patience = check.timeout
    connection = http.client.HTTPConnection(address, port, timeout=patience)
    try:
        connection.request(
            "GET", path, headers={"Host": host, "User-Agent": "hythe-health", "Accept": "*/*"}
        )
        response = connection.getresponse()
        end = time.monotonic() + patience
        body = b""
        while data := response.read1(65536):
            if check.content and len(body) < MOST_CONTENT:
                body += data
            if time.monotonic() > end:
                return Answer(None, f"did not end its answer on {path} in {patience:g} s")
        if response.length:  # what its Content-Length promised and it did not send
            raise http.client.IncompleteRead(b"", response.length)
        return _judged(response.status, path, body, check)
    except TimeoutError:
        return Answer(None, f"gave no answer on {path} within {patience:g} s")
    except ConnectionRefusedError:
        return Answer(None, f"refuses connections on port {port}")
    except (OSError, http.client.HTTPException) as error:
        return Answer(None, f"gave no valid answer on {path} ({error or type(error).__name__})")
    finally:
        connection.close()


def _judged(status: int, path: str, body: bytes, check: HealthCheck) -> Answer:
    said = f"answered {status} on {path}"
    if not check.lowest <= status <= check.highest:
        return Answer(status, said, passed=False)
    if check.content and check.content.encode() not in body:
        return Answer(status, f"{said}, without '{check.content[:60]}'", passed=False)
    return Answer(status, said, passed=True)


def connect(address: str, port: int, check: HealthCheck) -> Answer:
    """One TCP connection."""
    try:
        socket.create_connection((address, port), timeout=check.timeout).close()
    except ConnectionRefusedError:
        return Answer(None, f"refuses connections on port {port}")
    except OSError as error:
        return Answer(None, f"takes no connection on port {port} ({error})")
    return Answer(None, f"takes connections on port {port}", passed=True)


class CommandProbe:
    """Runs a command in an instance. The engine cannot end it, so the next one waits for it."""

    def __init__(self, sessions: Sessions, container: str, check: HealthCheck) -> None:
        self._sessions = sessions
        self._container = container
        self._check = check
        self._running: threading.Thread | None = None
        self._answer = Answer(None, "", passed=False)

    def __call__(self) -> Answer:
        if self._running is None or not self._running.is_alive():
            self._answer = Answer(
                None, f"`{self._line}` did not end within {self._check.timeout:g} s", passed=False
            )
            self._running = threading.Thread(target=self._run, name="health-command", daemon=True)
            self._running.start()
        self._running.join(self._check.timeout)
        return self._answer

    @property
    def _line(self) -> str:
        return " ".join(self._check.command)[:80]

    def _run(self) -> None:
        try:
            ended = self._sessions.run(self._container, self._check.command)
        except EngineError as error:
            self._answer = Answer(None, f"`{self._line}`: {error.cause}", passed=False)
            return
        last = ended.output.strip().splitlines()[-1:] or [""]
        said = f"`{self._line}` exited with {ended.code}"
        if last[0]:
            said += f": {last[0][:120]}"
        self._answer = Answer(None, said, passed=ended.code == 0)


def make(
    check: HealthCheck, sessions: Sessions, container: str, address: str, port: int, host: str
) -> Probe:
    """The probe of one instance; `port` and `host` are those of its process."""
    port = check.port or port
    if check.kind == "command":
        return CommandProbe(sessions, container, check)
    if check.kind == "tcp":
        return lambda: connect(address, port, check)
    return lambda: ask(address, port, check.host or host, check.path, check)
