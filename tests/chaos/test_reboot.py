"""A reboot, played on an engine of its own in a network namespace: everything is killed at once.

There the engine and the router start first, as at a boot; then bin/up.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from bench.installation import Answer, Installation, until
from hythe.build.stack import recipe

pytestmark = [pytest.mark.chaos, pytest.mark.docker]

CAP = 2
APPS = {"shop": {"web": 3}, "blog": {"web": 2, "worker": 1}, "wiki": {"web": 2}}
APP = """
import http.server, os, time
time.sleep(1.5)  # it boots
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["HYTHE_APP"].encode())
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Hello).serve_forever()
"""


class Engine:
    """A second dockerd: its own data, socket and network."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hythe-reboot-"))  # socket paths are short
        self.netns = f"hythe-{secrets.token_hex(3)}"
        self.host = f"unix://{self.folder}/docker.sock"
        self.process: subprocess.Popen[bytes] | None = None
        self.make_network()

    @property
    def inside(self) -> list[str]:
        return ["nsenter", f"--net=/var/run/netns/{self.netns}"]

    def make_network(self) -> None:
        subprocess.run(["ip", "netns", "add", self.netns], check=True)
        subprocess.run([*self.inside, "ip", "link", "set", "lo", "up"], check=True)

    def forget_the_kernel(self) -> None:
        """What a reboot does besides: no bridges, no rules, an empty /run."""
        subprocess.run(["ip", "netns", "del", self.netns], check=True)
        self.make_network()
        shutil.rmtree(self.folder / "exec")
        (self.folder / "pid").unlink()

    def start(self) -> None:
        command = ["unshare", "-m", "--propagation", "private", "dockerd", "--host", self.host]
        command += ["--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec"]
        command += ["--pidfile", f"{self.folder}/pid", "--cgroup-parent", f"/{self.netns}"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*self.inside, *command], stdout=log, stderr=log)
        try:
            until(lambda: self.docker("version", check=False).returncode == 0, 60)
        except AssertionError:
            raise AssertionError((self.folder / "log").read_text()[-3000:]) from None

    def docker(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = ["docker", "--host", self.host, *words]
        return subprocess.run(command, check=check, capture_output=True, text=True)

    def take_images(self) -> None:
        """The base images of the machine's own engine, and nothing else of it."""
        listed = " ".join(recipe().reference(kind) for kind in ("run", "build"))
        line = f"docker save {listed} | docker --host {self.host} load"
        subprocess.run(line, shell=True, check=True, capture_output=True)

    def processes(self) -> list[int]:
        """The engine, its containerd and shims, and what runs in its containers."""
        ids = self.docker("ps", "-q").stdout.split()
        inspected = json.loads(self.docker("inspect", *ids).stdout) if ids else []
        pids = [box["State"]["Pid"] for box in inspected]
        mark = str(self.folder).encode()
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes()
            except OSError:
                continue
            if mark in words and words.split(b"\0")[0].rpartition(b"/")[2] in (
                b"dockerd", b"containerd", b"containerd-shim-runc-v2",
            ):  # fmt: skip
                pids.append(int(path.parent.name))
        return pids

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            ids = self.docker("ps", "-q", check=False).stdout.split()
            if ids:
                self.docker("kill", *ids, check=False)
            pid = int((self.folder / "pid").read_text())
            os.kill(pid, signal.SIGTERM)
            self.process.wait(60)
        subprocess.run(["ip", "netns", "del", self.netns], check=False)
        for mount in sorted(_mounts(self.folder), reverse=True):
            subprocess.run(["umount", "-l", mount], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def _mounts(folder: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [line.split()[1] for line in lines if line.split()[1].startswith(str(folder))]


class Island(Installation):
    """An installation whose every process is inside of the engine's network."""

    def __init__(self, engine: Engine, home: Path, **settings: str) -> None:
        super().__init__(home, DOCKER_HOST=engine.host, **settings)
        self.engine = engine

    def run(
        self,
        *command: str,
        folder: Path | None = None,
        fails: bool = False,
        timeout: float = 300,
    ) -> str:
        inside = (*self.engine.inside, *command)
        return super().run(*inside, folder=folder, fails=fails, timeout=timeout)

    def get(self, app: str, path: str = "/", timeout: float = 10) -> Answer:
        command = ["curl", "-s", "-m", str(timeout), "-H", f"Host: {app}.localhost", "-w"]
        command += ["\n%{http_code}", f"http://127.0.0.1:{self.http_port}{path}"]
        done = subprocess.run([*self.engine.inside, *command], capture_output=True, text=True)
        if done.returncode != 0:
            raise OSError(f"curl: {done.returncode}")
        text, _, status = done.stdout.rpartition("\n")
        return Answer(int(status), {}, text)

    def serves(self, app: str) -> bool:
        try:
            return self.get(app, timeout=3).text == app
        except OSError:
            return False

    def rows(self, query: str) -> list[tuple[str, ...]]:
        with sqlite3.connect(self.home / "hythe.db", timeout=15) as database:
            return database.execute(query).fetchall()

    def all_up(self) -> bool:
        states = self.rows("SELECT state FROM instances WHERE state != 'gone'")
        return len(states) == sum(sum(a.values()) for a in APPS.values()) and {
            state for (state,) in states
        } == {"up"}


@pytest.fixture
def island(tmp_path: Path) -> Iterator[Island]:
    if shutil.which("dockerd") is None or shutil.which("nsenter") is None:
        pytest.skip("needs dockerd and nsenter")
    engine = Engine()
    island = Island(engine, tmp_path / "home", HYTHE_PARALLEL_STARTS=str(CAP))
    try:
        engine.start()
        engine.take_images()
        island.up("--no-example")
        yield island
    finally:
        island.down()
        engine.remove()


def deploy(island: Island, app: str, scale: dict[str, int], folder: Path) -> None:
    project = island.project(app, "hello", folder)
    (folder / "app.py").unlink()
    (folder / "serve.py").write_text(APP)
    worker = "worker: python3 -c 'import time; time.sleep(9999)'\n" if "worker" in scale else ""
    (folder / "requirements.txt").write_text("")
    (folder / "Procfile").write_text(f"web: python3 serve.py\n{worker}")
    project.commit("Serve")
    project.push()
    project.hythe("ps:scale", *(f"{process}={count}" for process, count in scale.items()))


def test_a_reboot_brings_every_app_back(
    island: Island, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    for app, scale in APPS.items():
        deploy(island, app, scale, tmp_path / app)
    until(island.all_up, 60)
    time.sleep(1.5)  # the router's snapshot is at most a second behind
    router = Path(f"/proc/{island.pid('router')}/cmdline").read_bytes().split(b"\0")[:-1]

    kill_everything(island)
    assert not any(island.serves(app) for app in APPS)

    began = time.monotonic()
    island.engine.start()
    environment = {**island.environment, "PATH": os.environ["PATH"]}
    early = subprocess.Popen([*island.engine.inside, *router], env=environment)
    try:
        for app in APPS:
            until(lambda app=app: island.serves(app), 60)
        record_property("engine start to all apps served, no control plane", since(began))
        assert not control_plane_runs(island)
        assert_it_takes_over_without_a_failure(island, record_property)
    finally:
        early.terminate()
        early.wait(60)
    island.down()
    assert_starts_are_capped(island, record_property)


def kill_everything(island: Island) -> None:
    programs = [island.pid(name) for name in ("supervisor", "control-plane", "router", "collector")]
    groups = [os.getpgid(pid) for pid in programs]
    for group in groups:
        os.killpg(group, signal.SIGKILL)
    for pid in island.engine.processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert island.engine.process is not None
    island.engine.process.wait(30)
    island.engine.forget_the_kernel()


def control_plane_runs(island: Island) -> bool:
    return Path(f"/proc/{island.pid('control-plane')}").exists()


def assert_it_takes_over_without_a_failure(
    island: Island, record_property: Callable[[str, object], None]
) -> None:
    """bin/up finds a router that it did not start: only the control plane is started here."""
    failures: list[str] = []
    asked = 0
    stopping = threading.Event()

    def ask() -> None:
        nonlocal asked
        while not stopping.is_set():
            for app in APPS:
                asked += 1
                if not island.serves(app):
                    failures.append(f"{app} after {since(began)}")

    began = time.monotonic()
    asking = threading.Thread(target=ask)
    asking.start()
    command = [str(Path(__file__).parents[2] / ".venv/bin/python"), "-m", "hythe.serve", "run"]
    control = subprocess.Popen([*island.engine.inside, *command], env=island.environment)
    try:
        until(lambda: "web.1: up" in hythe(island, "ps", "-a", "shop"), 60)
        until(island.all_up, 60)
        time.sleep(3)
    finally:
        stopping.set()
        asking.join()
        control.terminate()
        control.wait(60)
    record_property("requests while the control plane came up", f"{asked}, {len(failures)} failed")
    assert failures == []


def hythe(island: Island, *words: str) -> str:
    try:
        return island.hythe(*words)
    except AssertionError:
        return ""


def assert_starts_are_capped(
    island: Island, record_property: Callable[[str, object], None]
) -> None:
    """After bin/down nothing runs; bin/up starts everything itself."""
    began = time.monotonic()
    island.up("--no-example")
    until(island.all_up, 120)
    record_property("bin/up to all up, starts capped", since(began))
    spans = island.rows("SELECT started_at, ready_at FROM instances WHERE state = 'up'")
    times = [tuple(datetime.fromisoformat(moment).timestamp() for moment in s) for s in spans]
    most = max(sum(a <= start < b for a, b in times) for start, _ in times)
    record_property("booting at a time", f"{most} of at most {CAP}")
    assert most <= CAP
    assert all(island.serves(app) for app in APPS)


def since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"
