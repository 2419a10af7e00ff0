"""Containers that give way: a cgroup of their own, beside the engine's, with a low weight.

A weight inside the engine's own group would not help, since there the apps are its siblings. The
group may use every core that is idle, and next to nothing of one that an app wants.
Sources: the kernel's cgroup-v1/cgroups.rst, sched-design-CFS.rst, cgroup-v2.rst; systemd's
systemd.resource-control(5), for engines whose groups systemd makes.
"""

import contextlib
import subprocess
from pathlib import Path

from hythe.engine.docker.client import Client, speaking

CGROUPS = Path("/sys/fs/cgroup")
GROUP, SLICE = "hythe-builds", "hythebuilds.slice"
SHARES, WEIGHT = 51, 5  # of 1024, of 100


class Background:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._parent = ""

    def parent(self) -> str:
        """The parent group for a container that gives way; its weight is set."""
        if not self._parent:
            with speaking():
                driver = self._client.api.info()["CgroupDriver"]
            self._parent = SLICE if driver == "systemd" else f"/{GROUP}"
            if driver == "systemd":
                _set_property()
        if self._parent != SLICE:
            _write()
        return self._parent


def _write() -> None:
    """Where these cgroups are read-only, the group keeps its weight: the engine makes it."""
    unified = (CGROUPS / "cgroup.controllers").is_file()
    folder = CGROUPS / GROUP if unified else CGROUPS / "cpu" / GROUP
    file = folder / ("cpu.weight" if unified else "cpu.shares")
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True)
        file.write_text(str(WEIGHT if unified else SHARES))


def _set_property() -> None:
    command = ["systemctl", "set-property", "--runtime", SLICE, f"CPUWeight={WEIGHT}"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(command, capture_output=True, timeout=10)
