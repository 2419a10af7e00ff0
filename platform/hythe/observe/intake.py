"""One source's lines on their way into the store."""

import threading
import time
from collections.abc import Iterable
from typing import Any, Protocol

from hythe import logs
from hythe.observe.checkpoint import Mark
from hythe.observe.line import LogLine
from hythe.observe.origin import Origin
from hythe.observe.replay import Replay
from hythe.observe.store import LogStore
from hythe.observe.tail import Loss, Position

log = logs.get(__name__)


class Tail(Protocol):
    """Where raw lines come from: tail.FileTail, follow.FollowTail."""

    loss: Loss

    @property
    def position(self) -> Position: ...
    def read(self) -> list[bytes]: ...
    def settle(self, seconds: float) -> None: ...
    def close(self) -> None: ...


class Decoder(Protocol):
    """What makes log lines of them: ContainerLog, FollowedLog, AccessLog."""

    loss: Loss

    @property
    def origin(self) -> Origin | None: ...
    @property
    def state(self) -> dict[str, Any]: ...
    def decode(self, raw: Iterable[bytes]) -> dict[int, list[LogLine]]: ...
    def flush(self) -> dict[int, list[LogLine]]: ...


class Intake:
    """Reads, decodes and appends; reads on only when all that it read before was appended."""

    def __init__(
        self, key: str, tail: Tail, decoder: Decoder, store: LogStore, replay: Replay
    ) -> None:
        self.key = key
        self.mark = Mark(tail.position, decoder.state)  # all before it is in the store
        self.lost = Loss()  # in all
        self.ended = False  # no more will be written
        self.settled = False  # it has come past what was stored before a crash
        self.rests_until = 0.0  # monotonic; after an error
        self._tail = tail
        self._decoder = decoder
        self._store = store
        self._replay = replay
        self._raw: list[bytes] = []  # read, not decoded
        self._pending: dict[int, list[LogLine]] = {}  # decoded, not appended
        self._closed = False
        self._lock = threading.RLock()

    def pump(self) -> bool:
        """Move some lines; False when there were none. Raises OSError."""
        with self._lock:
            if self._closed:
                return False
            moved = bool(self._pending) or self._take()
            if moved:
                self._deliver()
            return moved

    def finish(self, seconds: float) -> None:
        """Move all lines of a source that has ended, as far as the time allows. Raises OSError."""
        deadline = time.monotonic() + seconds
        self._tail.settle(seconds)
        while self.pump():
            if time.monotonic() > deadline:
                return  # its files stay open, and the rest follows
        self.flush()

    def flush(self) -> None:
        """Move what a source that has ended left incomplete."""
        with self._lock:
            self._pending = self._pending or self._decoder.flush()
            self._deliver()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._tail.close()

    def _take(self) -> bool:
        self._raw = self._raw or self._tail.read()
        if self._raw:
            self._pending = self._decoder.decode(self._raw)
        taken, self._raw = bool(self._raw), []
        self._pending = self._replay.fresh(self._pending)
        self.settled = self.settled or bool(self._pending) or not taken
        if self._tail.loss or self._decoder.loss:
            self._report_loss()
        return taken or bool(self._pending)

    def _deliver(self) -> None:
        for app_id in list(self._pending):
            self._store.append(app_id, self._pending[app_id])
            del self._pending[app_id]
        self.mark = Mark(self._tail.position, self._decoder.state)

    def _report_loss(self) -> None:
        loss = Loss()
        self._tail.loss.move_to(loss)
        self._decoder.loss.move_to(loss)
        log.warning("log lines lost", source=self.key, lines=loss.lines, gaps=loss.gaps)
        origin = self._decoder.origin
        if origin is not None:
            text = f"Error L10 (output overflow): {loss}"
            line = origin.line(time.time(), text, source="platform")
            self._pending.setdefault(origin.app_id, []).insert(0, line)
        loss.move_to(self.lost)
