"""Which build processes live: each holds a lock, HYTHE_HOME/run/builds/PID.lock, until it is dead.

A control plane that was stopped and lost the lead may still have one. Who leads now ends it before
anything else is built, since both would work in the same folders and containers.
"""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hythe import logs
from hythe.errors import PlatformError
from hythe.settings import Settings

END_SECONDS = 10.0

log = logs.get(__name__)


@contextmanager
def living(settings: Settings) -> Iterator[None]:
    """Hold this process's lock."""
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{os.getpid()}.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        path.unlink(missing_ok=True)


def end_all(settings: Settings) -> None:
    """Kill the build processes that still live; raises PlatformError when one does not end."""
    for path in _folder(settings).glob("*.lock"):
        with path.open("r") as file:
            if not _locked_by_us(file.fileno()):
                log.warning("ending a build of another control plane", pid=path.stem)
                _kill(int(path.stem), path)
                deadline = time.monotonic() + END_SECONDS
                while not _locked_by_us(file.fileno()):
                    if time.monotonic() > deadline:
                        raise PlatformError(
                            f"The build process {path.stem} of another control plane does not end.",
                            f"End it: kill -9 {path.stem}",
                        )
                    time.sleep(0.05)
            path.unlink(missing_ok=True)


def _locked_by_us(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _kill(pid: int, lock: Path) -> None:
    """Kill the process that has the lock's file open; the number alone may be another's by now."""
    try:
        target = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        fds = Path(f"/proc/{pid}/fd").iterdir()
        if any(fd.samefile(lock) for fd in fds if fd.exists()):
            signal.pidfd_send_signal(target, signal.SIGKILL)
    except OSError:
        pass  # it ended meanwhile, or it is not ours to kill
    finally:
        os.close(target)


def _folder(settings: Settings) -> Path:
    return settings.run_dir / "builds"
