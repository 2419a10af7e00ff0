"""Where one can look in: `/metrics` on loopback, and the same as JSON on a unix socket.

A look is answered by a child process that is forked for it. The fork is a consistent picture, and
neither a slow reader nor thousands of apps hold up the master.
"""

import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from hythe import logs
from hythe.route.census import Census, State, as_json, as_prometheus
from hythe.socketpath import address

log = logs.get(__name__)

_MOST = 4  # looks at a time; more have to wait in the queue
_PATIENCE = 5.0  # for a reader
_LONGEST_HEAD = 8192


def open_port(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port), backlog=16)


def open_path(path: Path) -> socket.socket:
    """A socket that only this user may use."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        with address(path) as here:
            sock.bind(here)
    finally:
        os.umask(before)
    sock.listen(16)
    return sock


class Window:
    def __init__(self, sockets: list[socket.socket], census: Census) -> None:
        self.sockets = sockets
        self._census = census
        self._lookers: set[int] = set()  # pids
        for sock in sockets:
            sock.setblocking(False)

    @property
    def open(self) -> bool:
        return len(self._lookers) < _MOST

    def look(self, sock: socket.socket, state: State, in_child: Callable[[], None]) -> None:
        """Somebody wants to see. `in_child` drops what the child must not hold open."""
        try:
            connection, _ = sock.accept()
        except OSError:
            return
        pid = os.fork()
        if pid:
            connection.close()
            self._lookers.add(pid)
            return
        try:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.set_wakeup_fd(-1)
            in_child()
            with contextlib.suppress(OSError):
                self._answer(connection, state)
        finally:
            os._exit(0)

    def reap(self) -> None:
        for pid in self._lookers.copy():
            if os.waitpid(pid, os.WNOHANG)[0]:
                self._lookers.discard(pid)

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()

    def _answer(self, connection: socket.socket, state: State) -> None:
        connection.settimeout(_PATIENCE)
        head = b""
        while b"\r\n\r\n" not in head:
            data = connection.recv(4096)
            if not data or len(head) > _LONGEST_HEAD:
                return
            head += data
        method, _, rest = head.partition(b" ")
        path = rest.split(b" ", 1)[0].partition(b"?")[0]
        if method != b"GET" or path not in (b"/metrics", b"/stats"):
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        if path == b"/metrics":
            kind = b"text/plain; version=0.0.4; charset=utf-8"
            body = "".join(as_prometheus(self._census, state)).encode()
        else:
            kind = b"application/json"
            body = json.dumps(as_json(self._census, state)).encode()
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n%s" % (kind, len(body), body)
        )
