"""Processes that outlive the command that started them, and the files that remember them."""

import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ADMIN_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
LOG_BYTES = 10 * 1000**2
LAUNCH = 'cut -d" " -f1,22 /proc/$$/stat >"$0.new" && mv "$0.new" "$0" && exec "$@"'


@dataclass(frozen=True)
class Process:
    """A process, told apart from a later one of the same id by its start time."""

    pid: int
    started: int  # clock ticks since boot, field 22 of /proc/PID/stat

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """The process of this id; None if there is none, or if it has ended but was not reaped."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]))

    @classmethod
    def load(cls, path: Path) -> "Process | None":
        """The living process that a file remembers."""
        try:
            pid, started = path.read_text().split()
            remembered = cls(int(pid), int(started))
        except (OSError, ValueError):
            return None
        return remembered if remembered.alive() else None

    def alive(self) -> bool:
        return Process.of(self.pid) == self

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end, also when it is not our child; returns whether it has ended."""
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            if not self.alive():
                return True
            return bool(select.select([fd], [], [], seconds)[0])
        finally:
            os.close(fd)

    def stop(self, seconds: float) -> None:
        """SIGTERM; after that many seconds SIGKILL to all of its process group."""
        if not self.alive():
            return
        os.kill(self.pid, signal.SIGTERM)
        if not self.wait(seconds):
            os.killpg(os.getpgid(self.pid), signal.SIGKILL)
            self.wait(5)


def detach(command: list[str], pid_file: Path, log: Path, environment: dict[str, str]) -> Process:
    """Start a program in a session of its own, so that it outlives this one and its terminal.

    It writes its pid file itself, before it becomes the program: there is no moment at which it
    runs and nobody knows.
    """
    path = f"{environment.get('PATH', os.defpath)}:{ADMIN_PATH}"
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    _rotate(log)
    with log.open("ab") as output:
        child = subprocess.Popen(
            ["/bin/sh", "-c", LAUNCH, str(pid_file), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**environment, "PATH": path},
            cwd="/",
            start_new_session=True,
        )
    child.returncode = 0  # not ours to wait for: keeps Popen from warning about it
    process = Process.of(child.pid) or Process(child.pid, 0)
    while process.alive() and Process.load(pid_file) != process:
        time.sleep(0.002)
    return process


def _rotate(log: Path) -> None:
    """Keep one old log when the current one has grown large."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(log.suffix + ".1"))


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 32768))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
