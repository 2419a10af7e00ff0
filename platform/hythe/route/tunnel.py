"""A WebSocket after its handshake: bytes both ways, and a close frame when it must go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hythe.route.frames import CLOSE_TO_CLIENT, CLOSE_TO_SERVER, FrameTracker

if TYPE_CHECKING:
    from hythe.route.exchange import Exchange

_GOODBYE_SECONDS = 5.0


class Tunnel:
    __slots__ = ("_exchange", "_from_client", "_from_server", "_parted", "_parts_at", "received")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._from_client = FrameTracker()
        self._from_server = FrameTracker()
        self._parts_at = 0.0  # once set, no frame may begin any more
        self._parted = 0  # sides that were sent a close frame
        self.received = 0

    def from_client(self, data: bytes) -> None:
        exchange = self._exchange
        tracker = self._from_client
        if not self._parts_at:
            tracker.feed(data)
            exchange.moved()
            exchange.send(data)
            return
        if not tracker.between:
            rest = tracker.feed_frame(data)
            exchange.send(rest)
            data = data[len(rest) :]
            if tracker.between:
                self._close_server()
        tracker.feed(data)  # only looked at: is it the answer to our close?
        if tracker.closed and self._parted == 2:
            exchange.end_tunnel()

    def from_server(self, data: bytes) -> None:
        exchange = self._exchange
        tracker = self._from_server
        self.received += len(data)
        if not self._parts_at:
            tracker.feed(data)
            exchange.moved()
            exchange.client.write(data)
        elif not tracker.between:
            exchange.client.write(tracker.feed_frame(data))
            if tracker.between:
                self._close_client()

    def patience(self, idle: float) -> float:
        """How many seconds more the tunnel may stay open without a byte."""
        return max(0.0, self._parts_at - time.monotonic()) if self._parts_at else idle

    def part(self) -> None:
        """Tell both ends to go away, each as soon as its stream stands between two frames."""
        if self._parts_at:
            return
        self._parts_at = time.monotonic() + _GOODBYE_SECONDS
        self._exchange.moved()
        if self._from_server.between:
            self._close_client()
        if self._from_client.between:
            self._close_server()

    def _close_client(self) -> None:
        self._parted += 1
        if not self._from_server.closed:
            self._exchange.client.write(CLOSE_TO_CLIENT)

    def _close_server(self) -> None:
        self._parted += 1
        if not self._from_client.closed:
            self._exchange.send(CLOSE_TO_SERVER)
