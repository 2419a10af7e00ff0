"""Output of a container whose log files the host cannot read: asked of the engine."""

import contextlib
import queue
import threading
import time
from collections.abc import Iterable
from typing import Any

from hythe.engine.port import Feed, Instances
from hythe.errors import EngineError
from hythe.observe.line import LogLine, cut
from hythe.observe.origin import Origin
from hythe.observe.tail import Loss, Position

WAITING_LINES = 10_000
AGAIN_SECONDS = 5.0


class FollowTail:
    """A thread that follows one container, through its restarts.

    The engine sends a container's output from the start each time, so a position is a number of
    lines. That is weaker than a file: lines that the engine has rotated away meanwhile shift it.
    """

    def __init__(
        self, instances: Instances, container_id: str, position: Position | None = None
    ) -> None:
        self.position = position or Position()
        self.loss = Loss()
        self._instances = instances
        self._container_id = container_id
        self._lines: queue.Queue[bytes] = queue.Queue(WAITING_LINES)
        self._received = self.position.offset
        self._ended = threading.Event()  # the engine has no more at the moment
        self._again = threading.Event()  # ask the engine again now
        self._closed = threading.Event()
        self._feed: Feed | None = None
        self._thread = threading.Thread(target=self._run, name="log-follow", daemon=True)
        self._thread.start()

    @property
    def behind(self) -> bool:
        return not self._lines.empty()

    def read(self) -> list[bytes]:
        lines: list[bytes] = []
        with contextlib.suppress(queue.Empty):
            while len(lines) < WAITING_LINES:
                lines.append(self._lines.get_nowait())
        self.position = Position(self.position.offset + len(lines))
        return lines

    def settle(self, seconds: float) -> None:
        """Wait until the output of a container that has ended is here."""
        if self._thread.is_alive():
            self._ended.clear()
            self._again.set()
            self._ended.wait(seconds)

    def close(self) -> None:
        self._closed.set()
        self._again.set()
        if self._feed is not None:
            self._feed.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(EngineError):
                self._follow()
                self._ended.set()
                if not self._wait():
                    return
                continue
            self._closed.wait(AGAIN_SECONDS)

    def _wait(self) -> bool:
        """Wait until it runs again, or is thought to have; False when it is gone."""
        while not self._again.wait(AGAIN_SECONDS):
            container = self._instances.get(self._container_id)
            if container is None or container.state == "running":
                return container is not None
        self._again.clear()
        return True

    def _follow(self) -> None:
        known = self._received
        self._feed = feed = self._instances.follow(self._container_id)
        if self._closed.is_set():
            feed.close()
        for number, line in enumerate(feed):
            if number >= known:
                self._put(line.encode(errors="replace"))
                self._received += 1

    def _put(self, line: bytes) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                self._lines.put(line, timeout=1)
                return


class FollowedLog:
    """Makes log lines of what the engine sends, which says neither the time nor the stream."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.loss = Loss()

    @property
    def state(self) -> dict[str, Any]:
        return {}

    def decode(self, raw: Iterable[bytes]) -> dict[int, list[LogLine]]:
        now = time.time()
        lines = [self.origin.line(now, cut(entry.decode(errors="replace"))) for entry in raw]
        return {self.origin.app_id: lines} if lines else {}

    def flush(self) -> dict[int, list[LogLine]]:
        return {}
