"""What the kernel counts for a container, in version 1 and 2 of its control groups.

Sources: the kernel's cgroup-v1/{memory,cpuacct}.rst and cgroup-v2.rst. Memory is what Kubernetes
calls the working set: usage without the file pages that were not used lately.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")
_UNLIMITED = 1 << 60  # version 1 has no word for it, only a number that no machine has


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters since the container was started; levels now."""

    run: int  # differs once it was started again
    cpu: float  # seconds
    memory: int  # bytes
    limit: int  # bytes; 0: none
    oom_kills: int
    received: int  # bytes, over all interfaces but loopback
    sent: int


@dataclass(frozen=True, slots=True)
class Cgroup:
    """The folders of one container."""

    memory: Path
    cpu: Path
    version: int

    @classmethod
    def find(cls, container_id: str, root: Path = CGROUPS) -> "Cgroup | None":
        """That of a running container; None where it is not to be seen, as in a container."""
        if (root / "cgroup.controllers").exists():
            folder = _below(root, container_id)
            return cls(folder, folder, 2) if folder else None
        memory = _below(root / "memory", container_id)
        cpu = _below(root / "cpuacct", container_id)
        return cls(memory, cpu, 1) if memory and cpu else None

    def read(self, proc: Path = PROC) -> Reading | None:
        """None once the container has ended."""
        try:
            pids = (self.memory / "cgroup.procs").read_text().split()
            return self._reading(self.memory.stat().st_ino, proc, pids)
        except (OSError, ValueError, KeyError, IndexError):
            return None

    def _reading(self, run: int, proc: Path, pids: list[str]) -> Reading:
        stat = _pairs(self.memory / "memory.stat")
        if self.version == 1:
            usage = int((self.memory / "memory.usage_in_bytes").read_text())
            usage -= stat["total_inactive_file"]
            limit = int((self.memory / "memory.limit_in_bytes").read_text())
            kills = _pairs(self.memory / "memory.oom_control").get("oom_kill", 0)
            cpu = int((self.cpu / "cpuacct.usage").read_text()) / 1e9
        else:
            usage = int((self.memory / "memory.current").read_text()) - stat["inactive_file"]
            most = (self.memory / "memory.max").read_text().strip()
            limit = 0 if most == "max" else int(most)
            kills = _pairs(self.memory / "memory.events").get("oom_kill", 0)
            cpu = _pairs(self.cpu / "cpu.stat")["usage_usec"] / 1e6
        limit = 0 if limit >= _UNLIMITED else limit
        received, sent = _network(proc / pids[0] / "net" / "dev")
        return Reading(run, cpu, max(usage, 0), limit, kills, received, sent)


def _below(root: Path, container_id: str) -> Path | None:
    """The engine's folder of a container: by its cgroupfs or systemd driver, wherever it is put."""
    names = (container_id, f"docker-{container_id}.scope")
    for parent in ("docker", "system.slice", "*", "*/*"):
        for name in names:
            for found in root.glob(f"{parent}/{name}"):
                return found
    return None


def _pairs(file: Path) -> dict[str, int]:
    """Lines of a name and a number."""
    return dict(_lines(file))


def _lines(file: Path) -> Iterator[tuple[str, int]]:
    for line in file.read_text().splitlines():
        name, _, value = line.partition(" ")
        if value.strip().isdecimal():
            yield name, int(value)


def _network(file: Path) -> tuple[int, int]:
    """Bytes received and sent, as proc(5) has them: fields 1 and 9 behind the name."""
    received = sent = 0
    for line in file.read_text().splitlines()[2:]:
        name, _, rest = line.partition(":")
        if name.strip() != "lo":
            fields = rest.split()
            received, sent = received + int(fields[0]), sent + int(fields[8])
    return received, sent
