"""Control planes of this home that the set-up did not start: `hythe serve`, such as a stand-by."""

import fcntl
import time
from pathlib import Path

from .output import Problem
from .place import Place

GRACE_SECONDS = 5.0
LOCKS = Path("/proc/locks")


def refuse(place: Place, command: str) -> None:
    """Raise Problem while another control plane runs: it would start again what is stopped.

    To be called when this installation's own has ended; its children may need a moment more.
    """
    try:
        file = (place.run / "control.lock").open()
    except FileNotFoundError:
        return
    with file:
        deadline = time.monotonic() + GRACE_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    break
            time.sleep(0.1)
        raise Problem(
            f"Another control plane runs on this home ({_holders(file.fileno())}); it would start"
            " the apps again.",
            f"Stop it first, then run `{command}` again.",
        )


def _holders(fd: int) -> str:
    """The processes that hold the lock of a file, see proc(5) on /proc/locks."""
    own = Path(f"/proc/self/fd/{fd}").stat().st_ino
    fields = [line.split() for line in LOCKS.read_text().splitlines()]
    pids = {words[4] for words in fields if "->" not in words and words[5].endswith(f":{own}")}
    return f"process {', '.join(sorted(pids))}" if pids else "in a container or of another user"
