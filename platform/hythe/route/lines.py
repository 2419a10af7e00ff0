"""JSON lines over a non-blocking socket: the control link, and the master's talk with workers."""

import json
import socket
from typing import Any

_READ = 256 * 1024
_LONGEST = 64 * 1024 * 1024


class LinkClosed(Exception):
    """The other end is gone, or spoke nonsense."""


class LineSocket:
    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._in = bytearray()
        self._out = bytearray()

    @property
    def pending(self) -> bool:
        """Something is still to be sent."""
        return bool(self._out)

    def send(self, message: dict[str, Any]) -> None:
        self._out += json.dumps(message, separators=(",", ":")).encode() + b"\n"
        self.flush()

    def flush(self) -> None:
        while self._out:
            try:
                sent = self.sock.send(self._out)
            except BlockingIOError:
                return
            except OSError as error:
                raise LinkClosed(str(error)) from None
            del self._out[:sent]

    def receive(self) -> list[dict[str, Any]]:
        """All messages that have arrived whole."""
        try:
            data = self.sock.recv(_READ)
        except BlockingIOError:
            return []
        except OSError as error:
            raise LinkClosed(str(error)) from None
        if not data:
            raise LinkClosed("end of stream")
        return split(self._in, data)

    def close(self) -> None:
        self.sock.close()


def split(buffer: bytearray, data: bytes) -> list[dict[str, Any]]:
    """Add `data` to `buffer` and take the whole lines out of it."""
    buffer += data
    if b"\n" not in data:
        if len(buffer) > _LONGEST:
            raise LinkClosed("a line is too long")
        return []
    *lines, rest = bytes(buffer).split(b"\n")
    buffer[:] = rest
    try:
        messages = [json.loads(line) for line in lines if line]
    except ValueError:
        raise LinkClosed("a line is not JSON") from None
    return [message for message in messages if isinstance(message, dict)]
