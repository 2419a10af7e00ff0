"""Interactive programs: the raw connection that the engine makes of a request.

The engine takes the connection over after the head of its answer. What the SDK's HTTP client has
read past that head stays in its reader, so reading goes through the reader and writing past it.
"""

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests

from hythe.engine.docker.client import speaking
from hythe.errors import EngineError

READ_BYTES = 64 * 1024
HEADER_BYTES = 8  # of a frame: the stream, three noughts, the size

# Each engine detaches a terminal at some keys, ctrl-p ctrl-q by default, and holds the first one
# back until it knows. Nobody types these.
DETACH_KEYS = "ctrl-@,ctrl-^,ctrl-@,ctrl-^,ctrl-@"


class DockerTerminal:
    """One program's input and output."""

    def __init__(
        self, response: requests.Response, tty: bool, resize: Callable[[int, int], None]
    ) -> None:
        self._response = response
        self._tty = tty
        self._resize = resize
        answer: Any = response.raw._fp  # the standard library's, below the SDK's
        self._reader = answer.fp
        self._socket: socket.socket = self._reader.raw._sock
        self._socket.settimeout(None)

    def read(self) -> tuple[int, bytes]:
        with suppress(OSError, ValueError):  # it broke off, or was closed: no more will come
            if self._tty:
                return 1, self._reader.read1(READ_BYTES)
            header = self._reader.read(HEADER_BYTES)
            if len(header) == HEADER_BYTES:
                return header[0], self._reader.read(int.from_bytes(header[4:]))
        return 1, b""

    def write(self, data: bytes) -> None:
        with suppress(OSError):  # the program has ended; its output says so too
            self._socket.sendall(data)

    def end_input(self) -> None:
        """Raises EngineError over TLS, where the engine hears of the end of a connection only."""
        if isinstance(self._socket, ssl.SSLSocket):
            raise EngineError("The engine is reached over TLS, and input cannot be ended there.")
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def resize(self, rows: int, columns: int) -> None:
        with speaking():
            self._resize(rows, columns)

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes who reads
        with suppress(OSError):
            self._response.close()


class DockerProgram(DockerTerminal):
    """The same of a program that was started in a running container."""

    def __init__(
        self,
        response: requests.Response,
        tty: bool,
        resize: Callable[[int, int], None],
        exit_code: Callable[[], int],
    ) -> None:
        super().__init__(response, tty, resize)
        self.exit_code = exit_code
