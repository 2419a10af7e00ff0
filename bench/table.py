"""What the size of the route table, and changes to it, cost.

The router is pinned to one core; load and app share the other. What is compared is measured in
turns, and pair by pair, so that the mood of the machine cancels out.
"""

import dataclasses
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import timeit
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figure import Figure, ratios
from bench.openloop import percentiles
from bench.route_plane import RoutePlane
from hythe.route.tally import Tally
from hythe.wire import Route, RouteTable, TableChange, Target

ROUTES = 10_000
CHANGES = 100  # a second
SECONDS = 3
HOST = "app.localhost"
ROUTER_CORE, LOAD_CORE = "0", "1"
PLATFORM = Path(__file__).parents[1] / "platform"

_APP = """
import asyncio, uvloop
ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Type: text/plain\\r\\nContent-Length: 2\\r\\n\\r\\nok"
class App(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.transport.write(ANSWER)
async def main():
    server = await asyncio.get_running_loop().create_server(App, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
uvloop.run(main())
"""


class Router:
    """A router process on a control link, with a table of so many routes."""

    def __init__(self, folder: Path, app_port: int, routes: int, workers: int) -> None:
        folder.mkdir()
        self.plane = RoutePlane(folder / "control.sock")
        self.table = _table(app_port, routes)
        self.plane.begin(self.table)
        self.process = subprocess.Popen(
            [
                *("taskset", "-c", ROUTER_CORE, sys.executable, "-m", "hythe.route"),
                *("--listen", "127.0.0.1:0", "--workers", str(workers)),
                *("--control", str(folder / "control.sock"), "--log", str(folder / "access.log")),
                *("--snapshot", str(folder / "snapshot.json")),
            ],
            env={**os.environ, "PYTHONPATH": str(PLATFORM)},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.workers: list[int] = []
        for line in self.process.stderr:
            event = json.loads(line)
            if event["event"] == "listening":
                self.port = int(event["port"])
            elif event["event"] == "worker started":
                self.workers.append(int(event["worker"]))
                if len(self.workers) == workers:
                    break
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.plane.acked(self.table.version)

    def cpu(self) -> float:
        """Seconds that the workers have computed."""
        ticks = 0
        for pid in self.workers:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def change(self) -> float:
        """Give one app another target, as a deploy does; gives the time when it was sent."""
        number = self.table.sequence
        index = number * 7919 % len(self.table.routes)
        route = self.table.routes[index]
        if route.app == "app":
            index, route = index - 1, self.table.routes[index - 1]
        target = dataclasses.replace(route.targets[0], id=f"{route.app}-{number}")
        route = dataclasses.replace(route, targets=(target,))
        routes = list(self.table.routes)
        routes[index] = route
        before, self.table = self.table, RouteTable(1, number + 1, tuple(routes))
        change = TableChange(before.version, self.table.version, (route,))
        return self.plane.change(self.table, change)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.plane.close()


def _table(app_port: int, routes: int) -> RouteTable:
    target = Target("i0", "127.0.0.1", app_port, "web.1", "v1")
    others = (
        Route(
            f"app-{n}",
            (f"app-{n}.localhost", f"www.app-{n}.example.com"),
            (Target(f"i{n}", "127.0.0.1", 9, "web.1", "v1"),),
        )
        for n in range(1, routes)
    )
    return RouteTable(1, 1, (Route("app", (HOST,), (target,)), *others))


def measure(pairs: int) -> list[Figure]:
    """All figures; about a minute with five pairs."""
    with tempfile.TemporaryDirectory() as folder, _app() as port:
        return [
            *_size(Path(folder), port, pairs),
            *_changes(Path(folder), port, pairs),
            _counting(),
        ]


@contextmanager
def _app() -> Iterator[int]:
    command = ["taskset", "-c", LOAD_CORE, sys.executable, "-c", _APP]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


def _size(folder: Path, port: int, pairs: int) -> list[Figure]:
    small = Router(folder / "small", port, 1, workers=1)
    large = Router(folder / "large", port, ROUTES, workers=1)
    cost: dict[Router, list[float]] = {small: [], large: []}
    speed: dict[Router, list[float]] = {small: [], large: []}
    try:
        for _ in range(pairs):
            for router in (small, large):
                before = router.cpu()
                requests = _closed_loop(router.port)
                cost[router].append((router.cpu() - before) / requests * 1e6)
                speed[router].append(requests / SECONDS)
        memory = [_resident(pid) for pid in large.workers]
    finally:
        small.stop()
        large.stop()
    return [
        Figure("CPU a request, 1 route", cost[small], "us"),
        Figure(f"CPU a request, {ROUTES:,} routes / 1", ratios(cost[large], cost[small]), "",
               ("<=", 1.05)),
        Figure(f"requests a second, {ROUTES:,} routes / 1", ratios(speed[large], speed[small]), "",
               (">=", 0.95)),
        Figure(f"a worker with {ROUTES:,} routes", memory, "MB", ("<=", 60)),
    ]  # fmt: skip


def _changes(folder: Path, port: int, pairs: int) -> list[Figure]:
    """Two workers at half of what they can do, with and without changes."""
    router = Router(folder / "changes", port, ROUTES, workers=2)
    quiet: list[float] = []
    busy: list[float] = []
    acks: list[float] = []
    try:
        rate = statistics.median(_closed_loop(router.port) / SECONDS for _ in range(3)) / 2
        for _ in range(pairs):
            quiet.append(_p99_at(router.port, rate))
            with _storm(router) as storm:
                busy.append(_p99_at(router.port, rate))
            acks += storm.seconds
    finally:
        router.stop()
    return [
        Figure("half load", [rate], "requests/s"),
        Figure("ack of a change by all workers, median", [statistics.median(acks) * 1000], "ms",
               ("<=", 20)),
        Figure("ack of a change by all workers, p99", [percentiles(acks)["p99"] * 1000], "ms"),
        Figure("p99 at half load", quiet, "ms"),
        Figure(f"p99 with {CHANGES} changes a second / without", ratios(busy, quiet), "",
               ("<=", 1.10)),
    ]  # fmt: skip


class _Storm(threading.Thread):
    def __init__(self, router: Router) -> None:
        super().__init__()
        self._router = router
        self.over = threading.Event()
        self.seconds: list[float] = []  # from a change to its ack

    def run(self) -> None:
        sent = []
        due = time.monotonic()
        while not self.over.is_set():
            sent.append((self._router.change(), self._router.table.version))
            due += 1 / CHANGES
            time.sleep(max(0.0, due - time.monotonic()))
        self.seconds = [self._router.plane.acked(version) - at for at, version in sent]


@contextmanager
def _storm(router: Router) -> Iterator[_Storm]:
    storm = _Storm(router)
    storm.start()
    try:
        yield storm
    finally:
        storm.over.set()
        storm.join()


def _counting() -> Figure:
    """What the counters and the histogram add to a request."""
    tally = Tally()
    samples = timeit.repeat(lambda: tally.served(200, 1300, 0, 2), number=100_000, repeat=5)
    return Figure("counting a request", [seconds * 10 for seconds in samples], "us")


def _closed_loop(port: int) -> int:
    """Requests that wrk got answered over 64 connections."""
    done = subprocess.run(
        ["taskset", "-c", LOAD_CORE, "wrk", "-t1", "-c64", f"-d{SECONDS}s",
         "-H", f"Host: {HOST}", "-H", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0",
         "-H", "Accept: text/html,*/*;q=0.8", "-H", "Accept-Encoding: gzip, br",
         "-H", "Cookie: session=0123456789", f"http://127.0.0.1:{port}/"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    if "Non-2xx" in done or "Socket errors" in done:
        raise SystemExit(done)
    found = re.search(r"(\d+) requests in", done)
    assert found is not None
    return int(found[1])


def _p99_at(port: int, rate: float) -> float:
    """Milliseconds, counted from when a request was due."""
    command = [sys.executable, "-m", "bench.openloop", str(port), str(rate), str(SECONDS), HOST]
    done = subprocess.run(
        ["taskset", "-c", LOAD_CORE, *command], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    if found["answered"] < rate * SECONDS * 0.95:
        raise SystemExit(f"{found['answered']} of {rate * SECONDS:.0f} requests were answered")
    return found["p99"]


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit(f"process {pid} is gone")
