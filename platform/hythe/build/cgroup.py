"""What the kernel counted for a container: processes that it killed for memory, forks it refused.

Sources: the kernel's cgroup-v1/{memory,pids}.rst and cgroup-v2.rst.
"""

from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Counts:
    killed: int = 0  # for memory
    refused: int = 0  # forks
    processes: int = 0


@dataclass(frozen=True, slots=True)
class Cgroup:
    """The files of one container; what cannot be read counts as nought."""

    memory: Path
    pids: Path

    @classmethod
    def of(cls, container_id: str, pid: int) -> "Cgroup | None":
        """That of a container's first process; None where it is not to be seen.

        In a container of its own the control plane sees another process, or none, by that number.
        """
        try:
            lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        except OSError:
            return None
        if container_id not in "".join(lines):
            return None
        found = {}
        for line in lines:
            _, names, path = line.split(":", 2)
            for name in names.split(","):
                found[name] = path.lstrip("/")
        if "pids" in found and "memory" in found:  # version 1: a tree for each resource
            memory = CGROUPS / "memory" / found["memory"] / "memory.oom_control"
            return cls(memory, CGROUPS / "pids" / found["pids"])
        folder = CGROUPS / found.get("", "")
        return cls(folder / "memory.events", folder)

    def read(self) -> Counts:
        return Counts(
            killed=_counter(self.memory, "oom_kill"),
            refused=_counter(self.pids / "pids.events", "max"),
            processes=_number(self.pids / "pids.current"),
        )


def _counter(file: Path, name: str) -> int:
    try:
        words = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return 0
    return next((int(each[1]) for each in words if each[:1] == [name]), 0)


def _number(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0
