"""The listening sockets: one a worker, owned by the master, on one port by SO_REUSEPORT."""

import contextlib
import errno
import socket
import time
from collections.abc import Sequence

from hythe.route import handover

BACKLOG = 4096
_PATIENCE = 2.0  # for a router that is just leaving


class CannotListen(Exception):
    """The port cannot be had; the message says why."""


Listeners = tuple[socket.socket, ...]
"""The sockets of one worker: for HTTP, and for TLS where it is spoken."""

KINDS = ("http", "https")


def open_all(host: str, ports: Sequence[int], count: int) -> list[Listeners]:
    """One Listeners for each of `count` workers; the ports in the order of KINDS.

    Sockets that an earlier master left come first; what waits in these is not lost.
    """
    kept = handover.kept()
    taken = [_take(host, port, count, kind, kept) for kind, port in zip(KINDS, ports, strict=False)]
    for name, sock in kept.items():  # before others of the same name are given to keep
        handover.drop(name)
        sock.close()
    opened = (
        _open(host, port, count, kind, known)
        for kind, port, known in zip(KINDS, ports, taken, strict=False)
    )
    return list(zip(*opened, strict=True))


def _open(
    host: str, port: int, count: int, kind: str, sockets: list[socket.socket]
) -> list[socket.socket]:
    """Add to the sockets that there are."""
    if not sockets:
        _probe(host, port)
    for number in range(len(sockets), count):
        sock = _socket(host)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
        port = sock.getsockname()[1]  # port 0 was resolved by the first
        sockets.append(sock)
        handover.keep(handover.name(kind, number), sock)
    return sockets


def _take(
    host: str, port: int, count: int, kind: str, kept: dict[str, socket.socket]
) -> list[socket.socket]:
    """Take out of `kept` what is of this address, in its order, and no more than needed."""
    address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][:2] if kept else None
    taken: list[socket.socket] = []
    for number in range(count):
        found = kept.get(handover.name(kind, number))
        if found is None or found.getsockname()[:2] != address:
            break
        del kept[handover.name(kind, number)]
        found.setblocking(False)
        taken.append(found)
    return taken


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
