"""Keeps the programs running: starts one that has ended, with a back-off, and ends one that hangs.

It finds them by their pid files, so it can be killed and started again without touching them. When
it gets SIGTERM it ends, and they run on.
"""

import os
import select
import sys
import time
from pathlib import Path

from .place import CHECKOUT, Place
from .process import Process, detach
from .programs import Program, programs

LONGEST_PAUSE = 60.0
LOOK_SECONDS = 10.0  # between two looks whether a program hangs


def pid_file(place: Place) -> Path:
    return place.run / "supervisor.pid"


def running(place: Place) -> Process | None:
    return Process.load(pid_file(place))


def start(place: Place) -> Process:
    """Start it in the background; one that runs already is left alone."""
    process = running(place)
    if process is None:
        environment = {**place.environment(), "PYTHONPATH": str(CHECKOUT / "bin")}
        command = [sys.executable, "-S", "-m", "setup", "supervise"]
        process = detach(command, pid_file(place), place.logs / "supervisor.log", environment)
    return process


def stop(place: Place) -> None:
    process = running(place)
    if process is not None:
        process.stop(5)
    pid_file(place).unlink(missing_ok=True)


class Watch:
    """One program and the pause before its next start."""

    def __init__(self, program: Program, place: Place) -> None:
        self.program, self.place = program, place
        self.process = program.process(place)
        self.since = time.monotonic()
        self.pause = 0.0
        self.due = 0.0  # when to start it, while it does not run
        self.hung_at: float | None = None  # when it was first seen to hang

    def check(self, now: float) -> None:
        """Notice its end, and start it when that is due: at once, then after 1 s, 2 s, 4 s ..."""
        self._end_hung(now)
        if self.process is not None and not self.process.alive():
            self.process = None
            if now - self.since > LONGEST_PAUSE:
                self.pause = 0.0
            self.due = now + self.pause
            _note(f"{self.program.name} ended; starting it in {self.pause:.0f} s")
            self.pause = min(LONGEST_PAUSE, self.pause * 2 or 1.0)
        if self.process is None and now >= self.due:
            self.process = self.program.start(self.place)
            self.since = now
            _note(f"{self.program.name} started, pid {self.process.pid}")

    def _end_hung(self, now: float) -> None:
        """End it when it hangs at two looks: one may come right after the machine slept."""
        if self.process is None or not self.program.hangs():
            self.hung_at = None
        elif self.hung_at is None:
            self.hung_at = now
        elif now - self.hung_at >= LOOK_SECONDS / 2:
            _note(f"{self.program.name} hangs; ending it")
            self.process.stop(0)
            self.hung_at = None


def supervise(place: Place) -> None:
    watches = [Watch(program, place) for program in programs(place)]
    while True:
        _reap()
        now = time.monotonic()
        for watch in watches:
            watch.check(now)
        waiting = [watch.due - now for watch in watches if watch.process is None]
        _await_end(
            [watch.process for watch in watches if watch.process], min([*waiting, LOOK_SECONDS])
        )


def _await_end(processes: list[Process], seconds: float) -> None:
    """Wait until one of them ends, or for so many seconds."""
    fds = []
    try:
        for process in processes:
            try:
                fds.append(os.pidfd_open(process.pid))
            except ProcessLookupError:
                return
        if all(process.alive() for process in processes):
            select.select(fds, [], [], seconds)
    finally:
        for fd in fds:
            os.close(fd)


def _reap() -> None:
    """Collect ended children, or they would stay as zombies."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _note(text: str) -> None:
    print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), text, flush=True)
