"""git as a child process that may be ended at any time: by a limit, a newer deployment, a stop."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hythe.errors import FetchTimeout, TooLarge

POLL_SECONDS = 0.1
SIZE_SECONDS = 0.5
SAY_SECONDS = 2.0
KEPT_LINES = 30
LONGEST_LINE = 500
_RECEIVING = re.compile(r"Receiving objects: +\d+%")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x1f\x7f]")


class GivenUp(Exception):
    """Nobody wants the result any more."""


@dataclass(slots=True)
class Limits:
    """What a fetch may use, and who still wants it."""

    folder: Path  # everything that it writes
    size: int  # bytes
    seconds: int
    wanted: Callable[[], bool]
    began: float = field(default_factory=time.monotonic)

    def check_time(self) -> None:
        if time.monotonic() - self.began > self.seconds:
            raise FetchTimeout(f"Fetching took longer than {self.seconds} s.")
        if not self.wanted():
            raise GivenUp

    def check_size(self) -> None:
        if folder_size(self.folder) > self.size:
            raise TooLarge(
                f"The repository is over the limit of {self.size / 2**20:.1f} MiB.",
                "Make it smaller, or raise HYTHE_UPLOAD_LIMIT.",
            )


def run(
    arguments: list[str], environment: Mapping[str, str], limits: Limits, say: Callable[[str], None]
) -> tuple[int, list[str]]:
    """Run git; returns its exit code and the last lines of its stderr.

    Raises FetchTimeout, TooLarge or GivenUp; the process and its children are dead then. The kernel
    kills git when this process dies, and bounds each file that it writes.
    """
    bounds = ["setpriv", "--pdeathsig", "KILL", "prlimit", f"--fsize={limits.size}"]
    process = subprocess.Popen(
        [*bounds, "git", *arguments],
        env=dict(environment),
        cwd=limits.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    lines: deque[str] = deque(maxlen=KEPT_LINES)
    reader = threading.Thread(target=_read, args=(process, lines, say), daemon=True)
    reader.start()
    try:
        _watch(process, limits)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join()
    limits.check_size()
    return process.returncode, list(lines)


def folder_size(folder: Path) -> int:
    """Bytes of all files under a folder, which may be changing."""
    total = 0
    for root, _folders, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(root, name)).st_size  # noqa: PTH118 - a hot loop
    return total


def _watch(process: "subprocess.Popen[bytes]", limits: Limits) -> None:
    sized = 0.0
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLL_SECONDS)
            return
        limits.check_time()
        if time.monotonic() - sized > SIZE_SECONDS:
            sized = time.monotonic()
            limits.check_size()


def _read(
    process: "subprocess.Popen[bytes]", lines: deque[str], say: Callable[[str], None]
) -> None:
    """Keep the lines of stderr; say how far the objects are, now and then."""
    assert process.stderr is not None
    rest, said = "", time.monotonic()
    while block := os.read(process.stderr.fileno(), 1 << 14):
        *whole, rest = re.split(r"[\r\n]", (rest + block.decode(errors="replace"))[-(1 << 16) :])
        for raw in whole:
            line = _CONTROL.sub("", raw).strip()[:LONGEST_LINE]
            if _RECEIVING.match(line):
                if time.monotonic() - said > SAY_SECONDS:
                    said = time.monotonic()
                    say(line)
            elif line and "%" not in line:
                lines.append(line)
    if rest.strip():
        lines.append(_CONTROL.sub("", rest).strip()[:LONGEST_LINE])
    process.stderr.close()
