"""Containers that give way: a cgroup of their own, beside the engine's, with a low weight.

A weight inside the engine's own group would not help, since there the apps are its siblings. The
group may use every core that is idle, and its share of one that others want.
Sources: the kernel's cgroup-v1/cgroups.rst, sched-design-CFS.rst, cgroup-v2.rst; systemd's
systemd.resource-control(5), for engines whose groups systemd makes.
"""

import contextlib
import subprocess
from pathlib import Path

from hythe.engine.docker.client import Client, speaking

CGROUPS = Path("/sys/fs/cgroup")
SHARES = 1024  # of a group that nobody gave a weight, in version 1; in version 2 it is 100


class Background:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._driver = ""

    def parent(self, weight: int) -> str:
        """The parent group for containers of this weight, 1 to 100; it has that weight."""
        if not self._driver:
            with speaking():
                self._driver = self._client.api.info()["CgroupDriver"]
        if self._driver == "systemd":
            _set_property(name := f"hythebuilds{weight}.slice", weight)
            return name
        _write(f"hythe-builds-{weight}", weight)
        return f"/hythe-builds-{weight}"


def _write(group: str, weight: int) -> None:
    """Where these cgroups are read-only, the group has the weight of all others."""
    unified = (CGROUPS / "cgroup.controllers").is_file()
    folder = CGROUPS / group if unified else CGROUPS / "cpu" / group
    file = folder / ("cpu.weight" if unified else "cpu.shares")
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True)
        file.write_text(str(weight if unified else SHARES * weight // 100))


def _set_property(name: str, weight: int) -> None:
    command = ["systemctl", "set-property", "--runtime", name, f"CPUWeight={weight}"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(command, capture_output=True, timeout=10)
