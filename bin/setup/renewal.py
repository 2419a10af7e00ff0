"""New code for a running router, which refuses no connection meanwhile.

On SIGUSR2 its master tries the new program, and becomes it: same process, same sockets (ADR 16).
"""

import os
import signal
import time
from pathlib import Path

from .output import Problem
from .place import Place
from .process import Process
from .programs import Program

SECONDS = 60.0  # old workers may be busy


def renew(program: Program, place: Place, log: str) -> bool:
    """Let a router take up the new code; False when it has to be started instead.

    That is when it does not run, or runs with other options than it shall have: other ports, say.
    Raises Problem, which names the log, when the new code cannot run; the old one serves on then.
    """
    process = program.process(place)
    if process is None or _words(process) != program.command:
        return False
    before = _environment(process)
    os.kill(process.pid, signal.SIGUSR2)
    deadline = time.monotonic() + SECONDS
    while _environment(process) in (before, b""):  # it says what the old program left to it
        if not process.alive():
            return False
        if time.monotonic() > deadline:
            raise Problem(
                "The router did not take up the new code; the old one serves on.",
                f"See why at the end of its log, {log}; then run it again.",
            )
        time.sleep(0.05)
    program.await_ready(place, process)
    return True


def _words(process: Process) -> tuple[str, ...]:
    """Its command line."""
    try:
        return tuple(Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")[:-1])
    except OSError:
        return ()


def _environment(process: Process) -> bytes:
    """What it was given when it became the program that it is; empty while that changes."""
    try:
        return Path(f"/proc/{process.pid}/environ").read_bytes()
    except OSError:
        return b""
