"""Log lines as syslog messages, over TCP or TLS (RFC 5424, 5425, 6587)."""

import fcntl
import os
import socket
import struct
import termios
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from hythe.observe.drain_url import DrainUrl
from hythe.observe.line import LogLine
from hythe.observe.sending import PATIENCE_SECONDS, Undelivered, connect

USER = 1 << 3  # the facility; RFC 5424, 6.2.1
ERROR, INFO = 3, 6  # severities
SD_ID = "hythe@32473"  # the number that RFC 5612 keeps for who has none of his own
_ACK_LOOK = 0.005


def message(line: LogLine, app: str, host: str) -> bytes:
    """RFC 5424, 6: `<14>1 2026-03-01T09:30:12.123456Z HOST shop web.1 app [...] text`."""
    severity = ERROR if line.stream == "stderr" else INFO
    time = datetime.fromtimestamp(line.time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    known = {
        "release": line.release,
        "stream": line.stream,
        "request_id": line.request_id,
        "deployment": str(line.deployment or ""),
    }
    pairs = "".join(f' {name}="{_escaped(value)}"' for name, value in known.items() if value)
    data = f"[{SD_ID}{pairs}]" if pairs else "-"
    head = f"<{USER + severity}>1 {time} {_word(host, 255)} {_word(app, 48)}"
    return (
        f"{head} {_word(line.instance, 128)} {_word(line.source, 32)} {data} {line.text}"
    ).encode(errors="replace")


def framed(messages: Sequence[bytes]) -> bytes:
    """Octet counting: RFC 6587, 3.4.1, and RFC 5425, 4.3."""
    return b"".join(b"%d %s" % (len(one), one) for one in messages)


def _word(text: str, longest: int) -> str:
    """PRINTUSASCII without blanks, or the nil value."""
    return "".join(c if "!" <= c <= "~" else "_" for c in text)[:longest] or "-"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


class SyslogSender:
    """Keeps one connection; syslog has no answer, so the other machine's TCP has to do."""

    def __init__(self, url: DrainUrl, app: str) -> None:
        self._url = url
        self._app = app
        self._host = socket.gethostname()
        self._socket: socket.socket | None = None

    def send(self, lines: Sequence[LogLine]) -> int:
        """None is refused for good; raises Undelivered."""
        data = framed([message(line, self._app, self._host) for line in lines])
        try:
            if self._socket is not None and _has_ended(self._socket):
                self.close()
            if self._socket is None:
                self._socket = connect(self._url)
            self._socket.sendall(data)
            _await_ack(self._socket)
        except OSError as error:
            self.close()
            raise Undelivered.of(error) from None
        return 0

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _has_ended(connection: socket.socket) -> bool:
    """Whether the other side has closed it: what is sent then is lost without a word."""
    connection.settimeout(0)
    try:
        while data := connection.recv(4096):
            del data  # nobody asked for it
        return True
    except (BlockingIOError, InterruptedError):
        return False
    except OSError as error:
        return not _wants_more(error)
    finally:
        connection.settimeout(PATIENCE_SECONDS)


def _wants_more(error: OSError) -> bool:
    return type(error).__name__ in ("SSLWantReadError", "SSLWantWriteError")


def _await_ack(connection: socket.socket) -> None:
    """Wait until the other machine has acknowledged all bytes; raises TimeoutError."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4)  # tcp(7), SIOCOUTQ
        if failed := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(failed, os.strerror(failed))  # which empties the queue, too
        if not struct.unpack("i", answer)[0]:
            return
        if time.monotonic() > until:
            raise TimeoutError("timed out")
        time.sleep(_ACK_LOOK)
