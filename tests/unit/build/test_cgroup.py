"""The kernel's counters, of this process, and of files as both versions write them."""

import os
from pathlib import Path

from hythe.build.cgroup import Cgroup, Counts


def test_counters_of_both_versions(tmp_path: Path) -> None:
    (tmp_path / "pids.events").write_text("max 12\n")
    (tmp_path / "pids.current").write_text("7\n")
    first, second = tmp_path / "memory.oom_control", tmp_path / "memory.events"
    first.write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    second.write_text("low 0\nhigh 0\nmax 9\noom 4\noom_kill 3\noom_group_kill 0\n")
    for memory in (first, second):
        assert Cgroup(memory, tmp_path).read() == Counts(killed=3, refused=12, processes=7)


def test_what_cannot_be_read_is_nought(tmp_path: Path) -> None:
    assert Cgroup(tmp_path / "no", tmp_path).read() == Counts()
    assert Cgroup.of("0" * 64, 2**22 + 1) is None


def test_a_process_of_another_container_is_not_taken_for_it() -> None:
    path = Path(f"/proc/{os.getpid()}/cgroup").read_text().splitlines()[0].rpartition(":")[2]
    assert Cgroup.of("0" * 64, os.getpid()) is None
    assert Cgroup.of(path, os.getpid()) is not None
