"""Sockets that outlive the master: systemd keeps them, and hands them to the next master.

sd_notify(3) and sd_listen_fds(3), as far as the router needs them: datagrams to $NOTIFY_SOCKET, and
descriptors from 3 on. Without systemd all of this does nothing.
"""

import array
import contextlib
import os
import socket

_FIRST = 3  # SD_LISTEN_FDS_START
_NAME = "hythe-"


def name(kind: str, number: int) -> str:
    """What systemd calls a socket: its kind (http, https) and its worker's seat."""
    return f"{_NAME}{kind}-{number}"


def kept() -> dict[str, socket.socket]:
    """The listening sockets that an earlier master gave to keep, by name."""
    here = os.environ.pop("LISTEN_PID", "") == str(os.getpid())
    count = int(os.environ.pop("LISTEN_FDS", "0") or 0)
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    if not here:
        return {}
    ours: dict[str, socket.socket] = {}
    for fd, given in zip(range(_FIRST, _FIRST + count), names, strict=False):
        os.set_inheritable(fd, False)
        if given.startswith(_NAME) and given not in ours:
            ours[given] = socket.socket(fileno=fd)
        else:
            os.close(fd)
    return ours


def keep(name: str, listener: socket.socket) -> None:
    """Give a socket to keep."""
    _send(f"FDSTORE=1\nFDNAME={name}", [listener.fileno()])


def drop(name: str) -> None:
    """Let go of a kept socket that is not needed any more."""
    _send(f"FDSTOREREMOVE=1\nFDNAME={name}")


def ready() -> None:
    _send("READY=1")


def _send(state: str, fds: list[int] | None = None) -> None:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    with (
        contextlib.suppress(OSError),  # nobody listens: as without systemd
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
    ):
        sock.connect(address)
        sock.sendmsg([state.encode()], rights)
