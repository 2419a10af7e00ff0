"""The access log: one line a request, written in batches, each batch with one O_APPEND write.

The master opens the file, since workers may not be allowed to; they are handed it.
"""

import asyncio
import os
from pathlib import Path

from hythe import logs
from hythe.route import logline

log = logs.get(__name__)

_DELAY = 0.1
_BATCH = 256  # lines


class AccessLog:
    """A worker's writer to the file `fd`. One of `sample` lines of requests without an error is
    written."""

    def __init__(
        self,
        fd: int,
        loop: asyncio.AbstractEventLoop,
        sample: int = 1,
        as_json: bool = False,
    ) -> None:
        self.as_json = as_json
        self.line = logline.served_json if as_json else logline.served
        self._fd = fd
        self._loop = loop
        self._sample = sample
        self.sampled = sample != 1
        self._unseen = 0
        self._lines: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._lost = 0

    def skips(self) -> bool:
        """Whether the sample leaves out the line that would come now."""
        self._unseen = (self._unseen + 1) % self._sample
        return self._unseen != 0

    def write(self, line: str) -> None:
        lines = self._lines
        lines.append(line)
        if len(lines) >= _BATCH:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(_DELAY, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        try:
            os.write(self._fd, "".join(lines).encode("latin-1", "replace"))
        except OSError as error:  # a full disk must not stop traffic
            if not self._lost:
                log.error("access log cannot be written", error=error)
            self._lost += len(lines)
            return
        if self._lost:
            log.warning("access log lines were lost", lines=self._lost)
            self._lost = 0

    def go_on_in(self, fd: int) -> None:
        """The file was moved away; here is the next."""
        self.flush()
        os.close(self._fd)
        self._fd = fd


class LogFile:
    """The file as the master sees it: moved to NAME.1 when it is full. `path` None is standard
    output."""

    def __init__(self, path: Path | None, size: int) -> None:
        self._path = path
        self._size = size
        self.fd = 1
        self.reopen()

    def reopen(self) -> bool:
        """Go on in the file that has the name now; false when there is none, or it fails."""
        if self._path is None:
            return False
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            fd = os.open(self._path, flags, 0o640)
        except OSError as error:
            log.error("access log cannot be opened", path=self._path, error=error)
            return False
        if self.fd != 1:
            os.close(self.fd)
        self.fd = fd
        return True

    def rotate(self) -> bool:
        """Move a full file away and begin the next; true when it did."""
        if self._path is None:
            return False
        try:
            if self._path.stat().st_size < self._size:
                return False
            self._path.replace(self._path.with_name(self._path.name + ".1"))
        except FileNotFoundError:
            pass
        except OSError as error:
            log.error("access log cannot be rotated", error=error)
            return False
        return self.reopen()
