"""New code under the same sockets: the master becomes the new program and keeps its children.

The process id stays, and so do the listening sockets and the old workers, which serve on until the
new ones accept. A trial run of the new program comes first: if it cannot even start, nothing
changes.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from hythe import logs
from hythe.route.crew import Crew
from hythe.route.listener import Listeners

log = logs.get(__name__)

_VARIABLE = "HYTHE_ROUTER_HERITAGE"
_TRIAL = "HYTHE_ROUTER_TRIAL"


@dataclass(frozen=True)
class Sockets:
    """What a router listens on."""

    listeners: list[Listeners]
    views: list[socket.socket]  # see window.py


@dataclass(frozen=True)
class Heritage(Sockets):
    """What the old program leaves to the new one."""

    workers: list[tuple[int, socket.socket]]  # pid, link
    table: str | None


def heritage() -> Heritage | None:
    """What the program before left, if there was one."""
    text = os.environ.pop(_VARIABLE, None)
    if text is None:
        return None
    left = json.loads(text)
    with os.fdopen(left["table"], "rb") as file:
        file.seek(0)
        table = file.read().decode()
    return Heritage(
        listeners=[tuple(map(_socket, fds)) for fds in left["listeners"]],
        views=[_socket(fd) for fd in left["views"]],
        workers=[(pid, _socket(fd)) for pid, fd in left["workers"]],
        table=table,
    )


def _socket(fd: int) -> socket.socket:
    os.set_inheritable(fd, False)
    sock = socket.socket(fileno=fd)
    sock.setblocking(False)
    return sock


def trial() -> "subprocess.Popen[bytes]":
    """Start the new program on trial, with the same command line; exit code 0 when it could run."""
    return subprocess.Popen(_command(), env={**os.environ, _TRIAL: "1"}, stdin=subprocess.DEVNULL)


def on_trial() -> bool:
    """Whether this program shall only show that it can start."""
    return _TRIAL in os.environ


def _command() -> list[str]:
    return [sys.executable, *sys.orig_argv[1:]]


def become_new(crew: Crew, views: Iterable[socket.socket], table: str) -> None:
    """Never returns, unless the program is gone: then it raises OSError."""
    links = [(member.pid, member.link.sock) for member in crew.members if member.link]
    left = {
        "listeners": [[_kept(sock) for sock in seat.listeners] for seat in crew.seats],
        "views": [_kept(sock) for sock in views],
        "workers": [(pid, _kept(link)) for pid, link in links],
        "table": _memory(table.encode()),
    }
    environment = {**os.environ, _VARIABLE: json.dumps(left)}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, _command(), environment)


def _memory(data: bytes) -> int:
    """A file without a name; it may be longer than a variable can."""
    fd = os.memfd_create("table", 0)
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(data)
    return fd


def _kept(sock: socket.socket) -> int:
    sock.set_inheritable(True)
    return sock.fileno()
