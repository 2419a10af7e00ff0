"""JSON lines over a non-blocking unix socket: the control link, and the master's with a worker."""

import json
import os
import socket
from collections import deque
from collections.abc import Iterable
from typing import Any

_READ = 256 * 1024
_LONGEST = 64 * 1024 * 1024


class LinkClosed(Exception):
    """The other end is gone, or spoke nonsense."""


class LineSocket:
    """A unix socket. A file that is sent arrives in `files`, not later than its message."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.files: deque[int] = deque()
        self._in = bytearray()
        self._out = bytearray()
        self._files_out: list[int] = []

    @property
    def pending(self) -> bool:
        """Something is still to be sent."""
        return bool(self._out)

    @property
    def quiet(self) -> bool:
        """No line has come or gone in part only."""
        return not self._in and not self._out

    def send(self, message: dict[str, Any]) -> None:
        self.send_text(json.dumps(message, separators=(",", ":")))

    def send_text(self, line: str, files: Iterable[int] = ()) -> None:
        """Send a message that is JSON already, and open files with it."""
        self._out += line.encode() + b"\n"
        self._files_out += map(os.dup, files)
        self.flush()

    def flush(self) -> None:
        while self._out:
            try:
                if self._files_out:
                    sent = socket.send_fds(self.sock, [self._out], self._files_out)
                    self._close_files()
                else:
                    sent = self.sock.send(self._out)
            except BlockingIOError:
                return
            except OSError as error:
                raise LinkClosed(str(error)) from None
            del self._out[:sent]

    def _close_files(self) -> None:
        for fd in self._files_out:
            os.close(fd)
        self._files_out = []

    def receive(self) -> list[dict[str, Any]]:
        """All messages that have arrived whole."""
        try:
            data, files, _, _ = socket.recv_fds(self.sock, _READ, 4)
        except BlockingIOError:
            return []
        except OSError as error:
            raise LinkClosed(str(error)) from None
        self.files.extend(files)
        if not data:
            raise LinkClosed("end of stream")
        return split(self._in, data)

    def close(self) -> None:
        self.sock.close()
        self._close_files()


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
