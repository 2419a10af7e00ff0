"""One drain: sends what an app's log gets to another machine.

Its buffer is the log itself: a drain keeps a place in it, and goes on from there when the other
side is back, or after a restart. What the log dropped meanwhile is counted, and said in the log.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from hythe import logs
from hythe.errors import HytheError
from hythe.observe.line import Cursor, LogLine
from hythe.observe.reader import Following, LogReader
from hythe.observe.sending import Sender, Undelivered, batch
from hythe.observe.store import LogStore
from hythe.observe.tail import Loss

LOOK_SECONDS = 0.2  # between two looks into the log
IDLE_LOOK_SECONDS = 1.0  # after some seconds without a line
IDLE_SECONDS = 10.0
LONGEST_PAUSE = 60.0
SAY_SECONDS = 60.0
STOP_SECONDS = 2.0
OVERFLOW = "Error L12 (drain overflow): drain {id}: {loss}"
REFUSED = "Error L13 (drain refused): the receiver of drain {id} refused {count} for good"

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a drain is, and how it does; kept over restarts."""

    cursor: str
    seen: int | None  # lines of the log before the cursor, ever
    sent: int = 0
    dropped: int = 0
    error: str = ""  # why the last attempt failed; empty when it did not
    since: float = 0.0  # Unix seconds: since when it fails


class Drain:
    """A thread between `start` and `stop`."""

    def __init__(
        self,
        number: int,
        app_id: int,
        reader: LogReader,
        store: LogStore,
        sender: Callable[[], Sender],
        progress: Progress | None,
    ) -> None:
        """sender: makes it; raises HytheError. progress: of an earlier run; None: begin at the
        end of the log."""
        self.number = number
        self._app_id = app_id
        self._store = store
        self._make_sender = sender
        self._sender: Sender | None = None
        at = Cursor.parse(progress.cursor) if progress else reader.end(app_id)
        seen = progress.seen if progress else None
        self._following: Following = reader.follow(app_id, at, seen=seen)
        self._pending: list[LogLine] = []
        self._read_to = str(at), self._following.seen  # the place after the pending lines
        self.progress = progress or Progress(str(at), self._following.seen)
        self._failures = 0
        self._refused = 0  # lines of which the log does not tell yet
        self._say_at = 0.0  # monotonic; that line may be refused, too
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"drain-{number}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; it may be at sending for some seconds."""
        self._stopping.set()

    def wait(self, seconds: float) -> None:
        """Wait until it has ended, but not longer."""
        self._thread.join(seconds)

    def _run(self) -> None:
        last = time.monotonic()
        while not self._stopping.is_set():
            try:
                moved = self._step()
            except Undelivered as failure:
                self._fail(failure)
                continue
            except (HytheError, OSError) as error:  # the key, or the disk
                self._fail(Undelivered(str(error)))
                continue
            if moved:
                last = time.monotonic()
            else:
                idle = time.monotonic() - last > IDLE_SECONDS
                self._stopping.wait(IDLE_LOOK_SECONDS if idle else LOOK_SECONDS)
        if self._sender is not None:
            self._sender.close()

    def _step(self) -> bool:
        """Send some lines; False when there are none. Raises Undelivered, HytheError, OSError."""
        if not self._pending:
            self._pending = self._following.read()
            self._count_missed()
            self._read_to = str(self._following.cursor), self._following.seen
            if not self._pending:
                return False
        if self._sender is None:
            self._sender = self._make_sender()
        sending = self._pending[: batch(self._pending)]
        refused = self._sender.send(sending)
        self._failures = 0
        del self._pending[: len(sending)]
        self._advance(sending, refused)
        return True

    def _advance(self, sent: list[LogLine], refused: int) -> None:
        place, seen = self._read_to
        if self._pending:
            place, seen = str(sent[-1].cursor), None  # counted again, if it is where it starts
        self.progress = replace(
            self.progress,
            cursor=place,
            seen=seen,
            sent=self.progress.sent + len(sent) - refused,
            dropped=self.progress.dropped + refused,
            error="",
            since=0.0,
        )
        self._refused += refused
        if self._refused and time.monotonic() >= self._say_at:
            count = "1 line" if self._refused == 1 else f"{self._refused} lines"
            self._say(REFUSED.format(id=self.number, count=count))
            self._refused, self._say_at = 0, time.monotonic() + SAY_SECONDS

    def _count_missed(self) -> None:
        loss, self._following.missed = self._following.missed, Loss()
        if loss:
            dropped = self.progress.dropped + loss.lines
            self.progress = replace(self.progress, dropped=dropped)
            self._say(OVERFLOW.format(id=self.number, loss=loss))

    def _say(self, text: str) -> None:
        self._store.say(self._app_id, f"drain.{self.number}", "", text)

    def _fail(self, failure: Undelivered) -> None:
        self._failures += 1
        pause = min(2.0 ** min(self._failures - 1, 10), LONGEST_PAUSE)
        if failure.again_in is not None:
            pause = min(max(pause, failure.again_in), LONGEST_PAUSE)
        since = self.progress.since or time.time()
        self.progress = replace(self.progress, error=str(failure), since=since)
        log.warning("drain failed", drain=self.number, error=str(failure), again_in=pause)
        self._stopping.wait(pause)
