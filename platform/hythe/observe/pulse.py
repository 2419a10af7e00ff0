"""Whether a home's collector lives: a file that it locks, and touches as long as it works."""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

BEAT_SECONDS = 5.0
LONG_SECONDS = 3 * BEAT_SECONDS
"""A collector that was silent for so long does not work."""
HANG_SECONDS = 60.0
"""One that was silent for so long hangs, and is ended; bin/setup/programs.py has the same."""


def pulse_file(home: Path) -> Path:
    return home / "run" / "collector.lock"


class Pulse:
    """The collector's end. One home has one collector."""

    def __init__(self, home: Path, beaten: Callable[[], None] = lambda: None) -> None:
        """beaten: called at each beat. Raises BlockingIOError when another collector works on this
        home."""
        self._beaten = beaten
        path = pulse_file(home)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._next = 0.0
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise
        self.beat()

    def beat(self) -> None:
        """Say that it works; often called, and cheap."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + BEAT_SECONDS
            os.utime(self._fd)
            self._beaten()

    def close(self) -> None:
        os.close(self._fd)


def silence(home: Path) -> float:
    """Seconds since the collector's last beat; infinite when there never was one."""
    try:
        return time.time() - pulse_file(home).stat().st_mtime
    except FileNotFoundError:
        return float("inf")
