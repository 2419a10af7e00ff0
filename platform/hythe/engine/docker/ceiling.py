"""Limits for what BuildKit runs: it has none of its own, but all its steps share one cgroup.

The engine puts every step of every BuildKit build below `docker/buildkit`. What is written there
limits them together, other people's builds on this engine included.
Sources: the kernel's cgroup-v1/{memory,pids}.rst, scheduler/sched-bwc.rst, cgroup-v2.rst.
"""

import contextlib
import errno
import time
from pathlib import Path

from hythe.engine.port import Limits

CGROUPS = Path("/sys/fs/cgroup")
GROUP = "docker/buildkit"
ATTEMPTS, PAUSE = 5, 0.1  # seconds
PERIOD = 100_000  # microseconds; the kernel's default


def limit_all(limits: Limits) -> bool:
    """Put the limits on all BuildKit steps of this machine's engine; whether that was possible.

    It is not where these cgroups are read-only, or where systemd keeps them under other names.
    """
    unified = (CGROUPS / "cgroup.controllers").is_file()
    files = _unified(limits) if unified else _separate(limits)
    return all([_write(CGROUPS / file, value) for file, value in files])


def _write(path: Path, value: str) -> bool:
    """Whether it could be written. What earlier builds left in the page cache may have to go."""
    for _ in range(ATTEMPTS):
        try:
            path.parent.mkdir(exist_ok=True)  # the engine makes it at its first build
            path.write_text(value)
            return True
        except OSError as error:
            if error.errno != errno.EBUSY:
                return False
        with contextlib.suppress(OSError):
            (path.parent / "memory.force_empty").write_text("0")
        time.sleep(PAUSE)
    return False


def _separate(limits: Limits) -> list[tuple[str, str]]:
    """Files of version 1, which has a tree for each resource."""
    files = []
    if limits.memory:
        memory, both = (f"memory/{GROUP}/memory.{kind}limit_in_bytes" for kind in ("", "memsw."))
        swap_counted = (CGROUPS / both).exists()
        files += [(both, "-1")] if swap_counted else []  # it is never below the other
        files += [(memory, str(limits.memory))]
        files += [(both, str(limits.memory))] if swap_counted else []
    if limits.pids:
        files.append((f"pids/{GROUP}/pids.max", str(limits.pids)))
    if limits.cpus:
        files.append((f"cpu/{GROUP}/cpu.cfs_quota_us", str(int(limits.cpus * PERIOD))))
    return files


def _unified(limits: Limits) -> list[tuple[str, str]]:
    """Files of version 2."""
    files = []
    if limits.memory:
        files.append((f"{GROUP}/memory.max", str(limits.memory)))
        if (CGROUPS / GROUP / "memory.swap.max").exists():
            files.append((f"{GROUP}/memory.swap.max", "0"))
    if limits.pids:
        files.append((f"{GROUP}/pids.max", str(limits.pids)))
    if limits.cpus:
        files.append((f"{GROUP}/cpu.max", f"{int(limits.cpus * PERIOD)} {PERIOD}"))
    return files
