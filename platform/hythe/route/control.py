"""The link to the control plane: dial, say hello, take tables, report. Never gives up.

The control plane's silence changes nothing: what is routed is the last table.
"""

import select
import socket
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from hythe import logs
from hythe.route.lines import LineSocket, LinkClosed
from hythe.socketpath import address
from hythe.wire import Version

log = logs.get(__name__)

_SHORTEST = 0.1
_LONGEST = 1.0


class ControlLink:
    """`on_message` gets what arrives; `on_open` is called after the hello."""

    def __init__(
        self,
        path: Path,
        hello: Callable[[], dict[str, Any]],
        on_message: Callable[[dict[str, Any]], None],
        on_open: Callable[[], None],
    ) -> None:
        self._path = path
        self._hello = hello
        self._on_message = on_message
        self._on_open = on_open
        self._link: LineSocket | None = None
        self._dialled: int | None = None  # the inode of the socket that the link was made to
        self._delay = _SHORTEST
        self._dial_at = 0.0
        self._reported_away = False

    @property
    def link(self) -> LineSocket | None:
        return self._link

    def due(self, now: float) -> float | None:
        """In how many seconds to call `dial`; None while connected."""
        return None if self._link else max(0.0, self._dial_at - now)

    def dial(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        self._dialled = self._inode()  # before the connection: a newer socket is noticed later
        try:
            with address(self._path) as here:
                sock.connect(here)
        except OSError as error:
            sock.close()
            self._away(error.strerror or str(error))
            return
        self._link = LineSocket(sock)
        try:
            self._link.send(self._hello())
        except LinkClosed as error:
            self._drop(str(error))
            return
        log.info("control plane reached")
        self._reported_away = False
        self._on_open()

    def follow(self) -> None:
        """Hang up when another control plane has taken the socket's place; then `dial` is due.

        The one before may be stopped, or cut off from its database, and not know yet.
        """
        if self._link is not None and self._inode() not in (self._dialled, None):
            self._drop("another control plane has taken over")

    def ready(self, events: int) -> None:
        """The socket can be read or written."""
        if self._link is None:
            return
        try:
            if events & select.POLLOUT:
                self._link.flush()
            if events & (select.POLLIN | select.POLLHUP | select.POLLERR):
                for message in self._link.receive():
                    self._delay = _SHORTEST
                    self._on_message(message)
        except LinkClosed as error:
            self._drop(str(error))

    def report(
        self,
        version: Version,
        in_flight: dict[str, int],
        watched: dict[str, Any],
        waiting: Collection[str] = (),
        served: Collection[str] = (),
    ) -> bool:
        """Send a report, see wire.py; false when it has to wait, as the link is away or full."""
        if self._link is None or self._link.pending:
            return False
        message: dict[str, Any] = {"type": "report", "version": version, "in_flight": in_flight}
        message |= {"waiting": sorted(waiting), "served": sorted(served)}
        try:
            self._link.send({**message, "watched": watched} if watched else message)
        except LinkClosed as error:
            self._drop(str(error))
            return False
        return True

    def say(self, message: dict[str, Any]) -> None:
        """Send something that may be lost when the link is."""
        try:
            if self._link is not None:
                self._link.send(message)
        except LinkClosed as error:
            self._drop(str(error))

    def greet(self) -> None:
        """Say hello again: the control plane answers with the whole table."""
        self.say(self._hello())

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def _inode(self) -> int | None:
        try:
            return self._path.stat().st_ino
        except OSError:
            return None

    def _drop(self, reason: str) -> None:
        self.close()
        self._away(reason)

    def _away(self, reason: str) -> None:
        if not self._reported_away:
            log.warning("control plane is away", socket=self._path, reason=reason)
            self._reported_away = True
        self._dial_at = time.monotonic() + self._delay
        self._delay = min(self._delay * 2, _LONGEST)
