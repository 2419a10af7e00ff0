"""One source's lines on their way into the store."""

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
    @property
    def behind(self) -> bool: ...
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
        self.settled = False  # it has come past what was stored before a crash
        self.rests_until = 0.0  # monotonic; after an error
        self._tail = tail
        self._decoder = decoder
        self._store = store
        self._replay = replay
        self._raw: list[bytes] = []  # read, not decoded
        self._pending: dict[int, list[LogLine]] = {}  # decoded, not appended

    @property
    def behind(self) -> bool:
        """Whether there is more to move at once."""
        return self._tail.behind

    def pump(self) -> bool:
        """Move some lines; False when there were none. Raises OSError."""
        moved = bool(self._pending) or self._take()
        if moved:
            self._deliver()
        return moved

    def settle(self, seconds: float) -> None:
        """Wait for what a container that has ended left on the way."""
        self._tail.settle(seconds)

    def flush(self) -> None:
        """Move what a source that has ended left incomplete. Raises OSError."""
        self._pending = self._pending or self._decoder.flush()
        self._deliver()

    def close(self) -> None:
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
