"""The listening sockets: one a worker, owned by the master, on one port by SO_REUSEPORT."""

import contextlib
import errno
import socket
import time

from hythe.route import handover

BACKLOG = 4096
_PATIENCE = 2.0  # for a router that is just leaving


class CannotListen(Exception):
    """The port cannot be had; the message says why."""


def open_all(host: str, port: int, count: int) -> list[socket.socket]:
    """The sockets, those first that an earlier master left; what waits in these is not lost."""
    sockets = _kept(host, port, count)
    known = len(sockets)
    if not known:
        _probe(host, port)
    for _ in range(count - known):
        sock = _socket(host)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
        port = sock.getsockname()[1]  # port 0 was resolved by the first
        sockets.append(sock)
    handover.keep(sockets, known)
    return sockets


def _kept(host: str, port: int, count: int) -> list[socket.socket]:
    """The sockets that systemd kept, if they are of this address, and no more than needed."""
    kept = handover.kept()
    address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][:2] if kept else None
    useful = count if all(sock.getsockname()[:2] == address for sock in kept) else 0
    handover.drop(min(useful, len(kept)), len(kept) - useful)
    for sock in kept[useful:]:
        sock.close()
    for sock in kept[:useful]:
        sock.setblocking(False)
    return kept[:useful]


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
