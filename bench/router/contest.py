"""The routers under test, idle, before one backend."""

import json
import os
import re
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.installation import free_port
from bench.router.part import FILES
from bench.router.rivals import HOST, RIVALS, Site
from hythe.route import selfsigned

__all__ = ["HOST"]

ROUTER_CORE, LOAD_CORE = "0", "1"
ROOT = Path(__file__).parents[2]
OURS = "Hythe"
_OPEN_FILES = 65_536  # for 10,000 WebSockets, each of which is two connections

_NGINX = """
worker_processes 1; daemon off; master_process off; pid {f}/pid; error_log {f}/error;
events {{ worker_connections 16384; }}
http {{ access_log off; keepalive_requests 1000000000; sendfile on;
  server {{ listen 127.0.0.1:{b} backlog=4096; location / {{ return 200 "ok"; }}
    location = /empty {{ return 200; }}
    location /files/ {{ alias {f}/files/; }} }} }}
"""


def more_files() -> int:
    """Let this process and its children open as many as they may; gives how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError):  # only root may raise the hard limit, and not in every container
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, max(hard, _OPEN_FILES)))
        hard = max(hard, _OPEN_FILES)
    most = min(hard, _OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


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

    def said(self) -> str:
        """The end of its output."""
        return (self.site.folder / "output").read_text()[-2000:]

    def memory(self) -> float:
        """Resident MiB of its largest process, which is the one that proxies."""
        sizes = []
        for pid in self._family():
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            sizes.append(int(re.findall(r"^Rss:\s+(\d+)", text, re.MULTILINE)[0]) / 1024)
        return max(sizes)


@contextmanager
def contest(folder: Path, kind: str) -> Iterator[list[Running]]:
    """All of them, before a backend of this kind."""
    folder.mkdir()
    pem = folder / "own.pem"
    pem.write_bytes(selfsigned.make())
    backend = free_port()
    processes = [_backend(folder, kind, backend)]
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


def _backend(folder: Path, kind: str, port: int) -> "subprocess.Popen[bytes]":
    if kind != FILES:
        return _start([sys.executable, "-m", "bench.router.app", str(port)], LOAD_CORE, folder)
    (folder / "files").mkdir()
    (folder / "files" / "16k").write_bytes(os.urandom(16 * 1024))
    (folder / "files" / "100m").write_bytes(bytes(100 * 1024 * 1024))
    (folder / "backend.conf").write_text(_NGINX.format(f=folder, b=port))
    return _start(["nginx", "-c", str(folder / "backend.conf")], LOAD_CORE, folder)


def _answers(router: Running) -> bool:
    """Wait until it listens; one that never does is left out, and that is said."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", router.site.port)):
            return True
        time.sleep(0.1)
    print(f"{router.name} does not start: left out\n{router.said()}", file=sys.stderr)
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
        *("--log", str(site.folder / "log"), "--ip-connections", "0"),
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
                "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
                "GOMAXPROCS": "1",
                "HOME": str(folder),
            },
        )
