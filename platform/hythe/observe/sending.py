"""What the kinds of drains share: connecting, and what went wrong."""

import functools
import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from hythe.observe.drain_url import DrainUrl
from hythe.observe.line import LogLine

if TYPE_CHECKING:
    import ssl

PATIENCE_SECONDS = 10.0
BATCH_LINES = 1000
BATCH_CHARACTERS = 256 * 1024


class Undelivered(Exception):
    """The lines are not known to have arrived; `str` says why, for people."""

    def __init__(self, why: str, again_in: float | None = None) -> None:
        """again_in: after how many seconds the other side wants to be asked again, if it said."""
        super().__init__(why)
        self.again_in = again_in

    @classmethod
    def of(cls, error: OSError) -> "Undelivered":
        reason = getattr(error, "verify_message", "")
        if reason:
            return cls(f"its certificate is not trusted: {reason}")
        if isinstance(error, TimeoutError):
            return cls("it does not answer in time")
        if isinstance(error, socket.gaierror):
            return cls("its name cannot be resolved")
        return cls((os.strerror(error.errno) if error.errno else str(error)).lower() or "it failed")


def batch(lines: Sequence[LogLine]) -> int:
    """How many of the lines are sent at once; at least one, if there is one."""
    size = 0
    for count, line in enumerate(lines[:BATCH_LINES]):
        size += len(line.text)
        if size > BATCH_CHARACTERS:
            return max(1, count)
    return min(len(lines), BATCH_LINES)


class Sender(Protocol):
    """Where lines go: SyslogSender, HttpSender."""

    def send(self, lines: Sequence[LogLine]) -> int:
        """Returns how many of them were refused for good; raises Undelivered."""
        ...

    def close(self) -> None: ...


def connect(url: DrainUrl) -> socket.socket:
    """A connection, over TLS where the URL says so; raises OSError."""
    plain = socket.create_connection((url.host, url.port), PATIENCE_SECONDS)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if not url.tls:
        return plain
    try:
        return tls().wrap_socket(plain, server_hostname=url.host)
    except BaseException:
        plain.close()
        raise


@functools.cache
def tls() -> "ssl.SSLContext":
    """Trusts what this machine trusts, or SSL_CERT_FILE. Imported late: it takes some memory."""
    import ssl

    return ssl.create_default_context()
