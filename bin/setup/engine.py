"""The Docker engine: whether it answers, and starting and stopping it where there is no service."""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .output import Problem
from .place import Place
from .process import ADMIN_PATH, Process, detach, tail

SYSTEMD = Path("/run/systemd/system")  # there when systemd is PID 1
START_SECONDS = 60
STOP_SECONDS = 60


class _Connection(http.client.HTTPConnection):
    """HTTP over the engine's Unix socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(str(socket_path()))


def socket_path() -> Path:
    """The engine's socket; Hythe needs an engine on this very machine."""
    host = os.environ.get("DOCKER_HOST", "")
    if host and not host.startswith("unix://"):
        raise Problem(
            f"DOCKER_HOST is {host}, but Hythe needs a Docker engine on this machine.",
            "Unset DOCKER_HOST.",
        )
    return Path(host.removeprefix("unix://") or "/var/run/docker.sock")


def get(path: str) -> Any:
    """Ask the engine; raises OSError when it does not answer."""
    connection = _Connection("localhost")
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise OSError(f"the engine answered {response.status}: {body[:200]!r}")
        return json.loads(body) if body[:1] in b"[{" else body.decode()
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()


def answers() -> bool:
    """Whether an engine is there, which a `docker` command on the path would not prove."""
    try:
        return bool(get("/_ping") == "OK")
    except OSError:
        return False


def running_containers(label: str) -> int:
    """How many containers run, of those with a label (`key` or `key=value`), or of all (``)."""
    filters = f"?filters={quote(json.dumps({'label': [label]}))}" if label else ""
    return len(get(f"/containers/json{filters}"))


def ensure(place: Place) -> bool:
    """Start the engine unless it answers; returns whether this call started it."""
    if answers():
        return False
    if SYSTEMD.is_dir():
        done = subprocess.run(["systemctl", "start", "docker"], capture_output=True, text=True)
        if done.returncode == 0 and _await():
            _by_systemd(place).touch()
            return True
        journal = subprocess.run(
            ["journalctl", "-u", "docker", "-n", "12", "--no-pager"], capture_output=True, text=True
        )
        raise _cannot_start("journalctl -u docker", done.stderr + journal.stdout)
    _start_by_hand(place)
    return True


def _start_by_hand(place: Place) -> None:
    log = place.logs / "dockerd.log"
    dockerd = shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:{ADMIN_PATH}")
    if dockerd is None:
        raise Problem("There is no dockerd on this machine.", "Install Debian's package docker.io.")
    command = [dockerd, "--host", f"unix://{socket_path()}"]
    process = detach(command, _by_hand(place), log, dict(os.environ))
    if not _await(process):
        process.stop(STOP_SECONDS)
        _by_hand(place).unlink(missing_ok=True)
        raise _cannot_start(str(log), tail(log, lines=200))


def _await(process: Process | None = None) -> bool:
    """Wait until the engine answers; gives up early when its process has ended."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if answers():
            return True
        if process is not None and not process.alive():
            return False
        time.sleep(0.1)
    return False


def _cannot_start(log: str, output: str) -> Problem:
    lines = output.splitlines()
    reasons = [line for line in lines if re.search("panic:|level=fatal|failed to start", line)]
    return Problem(
        "The Docker engine does not start.",
        f"What its log says is above; all of it: {log}\n"
        "In a container it needs the right to mount and to change the firewall (privileged).",
        "\n".join(reasons[-6:] or lines[-12:]),
    )


def stop(place: Place) -> str:
    """Stop the engine if `ensure` started it and nobody else uses it; returns what to say."""
    process = Process.load(_by_hand(place))
    if process is None and not _by_systemd(place).exists():
        return ""
    try:
        others = running_containers("")
    except OSError:
        others = 0
    if others:
        return f"The Docker engine keeps running: {others} containers of others use it."
    if process is not None:
        process.stop(STOP_SECONDS)
        _by_hand(place).unlink(missing_ok=True)
    else:
        subprocess.run(["systemctl", "stop", "docker.service", "docker.socket"], check=False)
        _by_systemd(place).unlink()
    return "The Docker engine is stopped."


def _by_hand(place: Place) -> Path:
    return place.run / "dockerd.pid"


def _by_systemd(place: Place) -> Path:
    return place.run / "dockerd.systemd"
