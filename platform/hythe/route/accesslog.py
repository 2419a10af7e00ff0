"""The access log: one line a request, written in batches, each batch with one O_APPEND write."""

import asyncio
import os
from pathlib import Path

from hythe import logs

log = logs.get(__name__)


_DELAY = 0.1
_BATCH = 64 * 1024


class AccessLog:
    """A worker's writer; `path` None is standard output."""

    def __init__(self, path: Path | None, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._loop = loop
        self._lines: list[str] = []
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._lost = 0
        self._fd = _open(path)

    def write(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line)
        if self._size >= _BATCH:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(_DELAY, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._lines:
            return
        lines, self._lines, self._size = self._lines, [], 0
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

    def reopen(self) -> None:
        """The file was moved away: go on in a new one."""
        self.flush()
        if self._path is not None:
            os.close(self._fd)
            self._fd = _open(self._path)

    def close(self) -> None:
        self.flush()
        if self._path is not None:
            os.close(self._fd)


def _open(path: Path | None) -> int:
    if path is None:
        return 1
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


class LogFile:
    """The file as the master sees it: moved to NAME.1 when it is full."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    def rotate(self) -> bool:
        """Move a full file away; true when writers must reopen."""
        try:
            if self._path.stat().st_size < self._size:
                return False
            self._path.replace(self._path.with_name(self._path.name + ".1"))
        except FileNotFoundError:
            return False
        except OSError as error:
            log.error("access log cannot be rotated", error=error)
            return False
        return True
