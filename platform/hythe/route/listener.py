"""The listening sockets: one a worker, owned by the master, on one port by SO_REUSEPORT."""

import contextlib
import errno
import socket
import time
from collections.abc import Sequence

BACKLOG = 4096
_PATIENCE = 2.0  # for a router that is just leaving


class CannotListen(Exception):
    """The port cannot be had; the message says why."""


Listeners = tuple[socket.socket, ...]
"""The sockets of one worker: for HTTP, and for TLS where it is spoken."""


def open_all(host: str, ports: Sequence[int], count: int) -> list[Listeners]:
    """One Listeners for each of `count` workers; the ports in the order of `ports`."""
    return list(zip(*(_open(host, port, count) for port in ports), strict=True))


def _open(host: str, port: int, count: int) -> list[socket.socket]:
    _probe(host, port)
    sockets: list[socket.socket] = []
    for _ in range(count):
        sock = _socket(host)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
        port = sock.getsockname()[1]  # port 0 was resolved by the first
        sockets.append(sock)
    return sockets


def _socket(host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


def _probe(host: str, port: int) -> None:
    """SO_REUSEPORT would share the port with another router of this user, without a word."""
    until = time.monotonic() + _PATIENCE
    while True:
        with contextlib.closing(_socket(host)) as sock:
            try:
                sock.bind((host, port))
                return
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() > until:
                    raise CannotListen(f"{host}:{port}: {error.strerror}") from None
        time.sleep(0.05)
