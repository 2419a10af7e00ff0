"""What the sampler writes down, from files as the kernel and the router have them."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hythe.observe import cgroup, figures, sampler
from hythe.observe.apps import Apps
from hythe.observe.notices import Notices
from hythe.observe.origin import Origin
from hythe.observe.reader import LogReader
from hythe.observe.rollup import LONG, SHORT
from hythe.observe.sampler import Sampler
from hythe.observe.sources import Source, Sources

END = 1_700_000_000 // 300 * 300 + 10
MIB = 1024**2


class Kernel:
    """A container's files, version 1 or 2."""

    def __init__(self, root: Path, container: str, version: int) -> None:
        self.version = version
        self.proc = root / "proc"
        if version == 2:
            (root / "cgroup.controllers").parent.mkdir(parents=True, exist_ok=True)
            (root / "cgroup.controllers").write_text("cpu memory")
            self.memory = self.cpu = root / "system.slice" / f"docker-{container}.scope"
        else:
            self.memory = root / "memory" / "docker" / container
            self.cpu = root / "cpuacct" / "docker" / container

    def say(
        self, *, cpu: float, used: int, kills: int = 0, received: int = 0, limit: int = 512 * MIB
    ) -> None:
        for folder in (self.memory, self.cpu, self.proc / "77" / "net"):
            folder.mkdir(parents=True, exist_ok=True)
        (self.memory / "cgroup.procs").write_text("77\n78\n")
        dev = (
            f"head\nhead\n    lo: 9 1 0 0 0 0 0 0 9\n  eth0: {received} 1 0 0 0 0 0 0 {received}\n"
        )
        (self.proc / "77" / "net" / "dev").write_text(dev)
        if self.version == 2:
            (self.memory / "memory.stat").write_text("anon 5\ninactive_file 1048576\n")
            (self.memory / "memory.current").write_text(f"{used + MIB}\n")
            (self.memory / "memory.max").write_text(f"{limit}\n" if limit else "max\n")
            (self.memory / "memory.events").write_text(f"oom 3\noom_kill {kills}\n")
            (self.cpu / "cpu.stat").write_text(f"usage_usec {int(cpu * 1e6)}\nuser_usec 1\n")
        else:
            (self.memory / "memory.stat").write_text("rss 5\ntotal_inactive_file 1048576\n")
            (self.memory / "memory.usage_in_bytes").write_text(f"{used + MIB}\n")
            (self.memory / "memory.limit_in_bytes").write_text(f"{limit or 2**63 - 4096}\n")
            (self.memory / "memory.oom_control").write_text(f"under_oom 0\noom_kill {kills}\n")
            (self.cpu / "cpuacct.usage").write_text(f"{int(cpu * 1e9)}\n")


@pytest.fixture(params=[1, 2])
def kernel(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Kernel:
    root = tmp_path / "sys"
    kernel = Kernel(root, "c1", request.param)
    find, read = cgroup.Cgroup.find, cgroup.Cgroup.read
    monkeypatch.setattr(cgroup.Cgroup, "find", lambda container: find(container, root))
    monkeypatch.setattr(cgroup.Cgroup, "read", lambda self: read(self, kernel.proc))
    return kernel


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    Apps(1024**2, 30, frozenset({1}), {}, (), {"shop": 1}).save(home)
    source(home, "c1", deployment=2)
    return home


def source(home: Path, container: str, deployment: int) -> None:
    origin = Origin(app_id=1, process="web", index=1, release="v2", deployment=deployment)
    Sources(home).announce(Source(container, "instance", None, origin))


def used(home: Path, end: int) -> dict[str, float]:
    (point,) = figures.instance(home, 1, "web.1").read(SHORT, end - 10, end)
    return dict(zip(figures.INSTANCE_FIELDS, point.values, strict=True))


def test_what_an_instance_used_is_written_by_step(home: Path, kernel: Kernel) -> None:
    sampler = Sampler(home)
    kernel.say(cpu=100.0, used=100 * MIB, received=1000)
    sampler.look(END)
    assert used(home, END)["memory"] == 100 * MIB
    kernel.say(cpu=105.0, used=120 * MIB, received=3500)
    sampler.look(END + 10)
    now = used(home, END + 10)
    assert (now["cpu"], now["received"], now["sent"]) == (0.5, 2500, 2500)
    assert (now["memory"], now["limit"], now["restarts"]) == (120 * MIB, 512 * MIB, 0)


def test_no_limit_is_none(home: Path, kernel: Kernel) -> None:
    kernel.say(cpu=1.0, used=5, limit=0)
    Sampler(home).look(END)
    assert used(home, END)["limit"] == 0


def test_a_restart_is_counted_over_the_collector_s_own(home: Path, kernel: Kernel) -> None:
    sampler = Sampler(home)
    kernel.say(cpu=100.0, used=5)
    sampler.look(END)
    kernel.memory.rename(kernel.memory.with_name("old"))  # a new folder has another inode
    kernel.say(cpu=1.0, used=5)
    sampler.look(END + 10)
    assert (used(home, END + 10)["restarts"], used(home, END + 10)["cpu"]) == (1, 0)
    later = Sampler(home)
    later.look(END + 20)
    assert used(home, END + 20)["restarts"] == 1


def test_a_stopped_instance_has_a_gap(home: Path, kernel: Kernel) -> None:
    Sampler(home).look(END)
    assert figures.instances(home, 1) == []


def test_memory_near_its_limit_and_kills_are_told_once(home: Path, kernel: Kernel) -> None:
    sampler = Sampler(home)
    steps = [(100, 0), (470, 0), (480, 0), (450, 0), (300, 0), (500, 2), (500, 2)]
    for number, (memory, kills) in enumerate(steps):
        kernel.say(cpu=1.0, used=memory * MIB, kills=kills)
        sampler.look(END + 10 * number)
    bounds = sampler_bounds(home)
    lines = [line for line in LogReader(bounds).tail(1, 10) if line.source == "platform"]
    assert [line.text for line in lines] == [
        "Error R14 (Memory quota nearly used): 470 of 512 MiB (92%)",
        "Error R15 (Memory quota exceeded): the kernel killed 2 processes for memory"
        " (the limit is 512 MiB)",
        "Error R14 (Memory quota nearly used): 500 of 512 MiB (98%)",
    ]
    assert {(line.instance, line.release) for line in lines} == {("web.1", "v2")}
    told = [notice for _, notice in Notices(home).waiting()]
    kinds = [notice.kind for notice in told]
    assert kinds == ["instance.memory", "instance.oom", "instance.memory"]
    assert told[0].message.startswith("web.1: R14 (Memory") and told[0].fix
    assert used(home, END + 60)["oom_kills"] == 2


def sampler_bounds(home: Path) -> Any:
    return sampler._Bounds(home / "logs", 1024**2, 30)


def test_the_newer_of_two_containers_of_one_name_counts(home: Path, kernel: Kernel) -> None:
    kernel.say(cpu=1.0, used=111)
    source(home, "c0", deployment=1)
    Kernel(kernel.proc.parent, "c0", kernel.version).say(cpu=1.0, used=999)
    Sampler(home).look(END)
    assert used(home, END)["memory"] == 111


def test_figures_of_an_app_that_is_gone_are_removed(home: Path, kernel: Kernel) -> None:
    kernel.say(cpu=1.0, used=111)
    sampler = Sampler(home)
    sampler.look(END)
    Apps(1024**2, 30, frozenset()).save(home)
    for number in (1, 2):
        sampler.look(END - 10 + LONG.step * number)
        assert figures.instances(home, 1) == (["web.1"] if number == 1 else [])


@contextmanager
def router(home: Path) -> Iterator[dict[str, Any]]:
    """Something that answers as the router's window does."""
    counts: dict[str, Any] = {"apps": {}}

    class Answer(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps(counts).encode())

    (home / "run").mkdir()
    with socketserver.ThreadingUnixStreamServer(str(home / "run" / "router.sock"), Answer) as it:
        thread = threading.Thread(target=it.serve_forever, args=(0.01,))
        thread.start()
        yield counts
        it.shutdown()
        thread.join()


def counted(requests: int, failed: int = 0, times: dict[int, int] | None = None) -> dict[str, Any]:
    return {
        "requests": requests, "in_flight": 3, "statuses": {"2xx": requests - failed, "5xx": failed},
        "errors": {"H12": failed}, "bytes_in": 0, "bytes_out": 10 * requests, "times": times or {},
    }  # fmt: skip


def served(home: Path, tier: Any, end: int) -> list[dict[str, float]]:
    points = figures.traffic(home, 1).read(tier, end - tier.step, end)
    return [dict(zip(figures.TRAFFIC_FIELDS, point.values, strict=True)) for point in points]


def test_requests_are_counted_by_step_with_its_own_quantiles(home: Path) -> None:
    with router(home) as counts:
        sampler = Sampler(home)
        counts["apps"] = {"shop": counted(1000, 0, {1000: 1000}), "gone": counted(5)}
        sampler.look(END)
        assert served(home, SHORT, END) == []  # since when these are nobody knows
        counts["apps"] = {"shop": counted(1100, 4, {1000: 1090, 80_000: 10})}
        sampler.look(END + 10)
        (step,) = served(home, SHORT, END + 10)
        assert (step["requests"], step["s2xx"], step["s5xx"], step["errors"]) == (100, 96, 4, 4)
        assert (step["bytes_out"], step["in_flight"]) == (1000, 3)
        assert [round(step[key], 6) for key in ("p50", "p95", "p99")] == [0.001, 0.08, 0.08]
        counts["apps"] = {"shop": counted(7, 0, {1000: 7})}  # the router was started anew
        sampler.look(END + 20)
        assert served(home, SHORT, END + 20)[0]["requests"] == 7
        sampler.look(END - 10 + LONG.step)
        (long,) = served(home, LONG, END - 10 + LONG.step)
        assert (long["requests"], round(long["p50"], 6)) == (107, 0.001)
