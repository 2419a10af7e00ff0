"""The long-running programs of an installation: control plane, router and log collector."""

import fcntl
import http.client
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .environment import PYTHON, ready
from .output import Problem
from .place import Place
from .process import Process, detach, tail

READY_SECONDS = 60
HANG_SECONDS = 60  # of a collector's silence, see hythe/observe/pulse.py


@dataclass(frozen=True)
class Program:
    name: str
    command: tuple[str, ...]
    answers: Callable[[], bool]
    stop_seconds: float  # from SIGTERM to SIGKILL
    hangs: Callable[[], bool] = lambda: False

    def pid_file(self, place: Place) -> Path:
        return place.run / f"{self.name}.pid"

    def log(self, place: Place) -> Path:
        """What it says itself; logs/router.log is the access log."""
        return place.logs / f"{self.name}-process.log"

    def process(self, place: Place) -> Process | None:
        return Process.load(self.pid_file(place))

    def start(self, place: Place) -> Process:
        """Start it; one that runs already is left alone."""
        process = self.process(place)
        if process is None:
            # Two arenas: the programs have many threads, most of them idle, and glibc would keep
            # memory for each.
            environment = {"MALLOC_ARENA_MAX": "2", **place.environment()}
            process = detach(list(self.command), self.pid_file(place), self.log(place), environment)
        return process

    def await_ready(self, place: Place, process: Process) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self.answers():
            if not process.alive() or time.monotonic() > deadline:
                ended = "ended at once" if not process.alive() else "does not answer"
                raise Problem(
                    f"The {self.name.replace('-', ' ')} {ended}.",
                    f"Its last lines are above; all of them: {self.log(place)}",
                    tail(self.log(place)),
                )
            time.sleep(0.02)

    def stop(self, place: Place) -> bool:
        """Stop it; returns whether it ran."""
        process = self.process(place)
        if process is not None:
            process.stop(self.stop_seconds)
        self.pid_file(place).unlink(missing_ok=True)
        return process is not None


def programs(place: Place) -> tuple[Program, Program, Program]:
    """The control plane, the router and the collector, in the order in which they start and stop:
    the last lines of the others are collected too."""
    control = ("127.0.0.1", place.api_port)
    return (
        Program(
            "control-plane",
            (str(PYTHON), "-m", "hythe.serve", "run"),
            lambda: status(control, "/healthz") == 200,
            stop_seconds=20,
        ),
        Program(
            "router",
            (
                *(str(PYTHON), "-m", "hythe.route"),
                *("--listen", f"{place.bind}:{place.http_port}"),
                *(("--listen-tls", str(place.https_port)) if place.https_port else ()),
                *("--workers", str(place.router_workers)),
                *("--control", str(place.run / "control.sock")),
                *("--snapshot", str(place.home / "router" / "snapshot.json")),
                *("--log", str(place.logs / "router.log")),
                *(("--log-json",) if place.router_log == "json" else ()),
                *("--log-sample", str(place.router_log_sample)),
                *("--stats", str(place.run / "router.sock")),
                *(("--metrics", str(place.metrics_port)) if place.metrics_port else ()),
                *(("--user", place.router_user) if place.router_user else ()),
                *(("--certificate", place.router_certificate) if place.router_certificate else ()),
                *(f"--trust={each.strip()}" for each in place.router_trust.split(",") if each),
            ),
            lambda: status(place.router_address, "/") is not None,
            stop_seconds=40,
        ),
        Program(
            "collector",
            (str(PYTHON), "-m", "hythe.observe", "--home", str(place.home)),
            lambda: is_locked(place.run / "collector.lock"),
            stop_seconds=10,
            hangs=lambda: age(place.run / "collector.lock") > HANG_SECONDS,
        ),
    )


def is_locked(path: Path) -> bool:
    """Whether a program holds the lock of a file, as the collector does while it works."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True


def age(path: Path) -> float:
    """Seconds since a file was touched; nought where there is none."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def status(address: tuple[str, int], path: str) -> int | None:
    """The status of a GET request; None where nobody answers."""
    connection = http.client.HTTPConnection(*address, timeout=2)
    try:
        connection.request(
            "GET", path, headers={"Host": "hythe.invalid" if path == "/" else address[0]}
        )
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def check_environment(place: Place) -> None:
    """Raise Problem when the environment would be made anew under programs that run from it."""
    if not ready() and any(program.process(place) for program in programs(place)):
        raise Problem(
            "Hythe's dependencies or its Python changed while it runs.",
            "Restart Hythe with them; apps run on: bin/up --restart --detach",
        )


def prepare(place: Place) -> None:
    """Migrate the database, and make the key and the first token."""
    done = subprocess.run(
        [str(PYTHON), "-m", "hythe.serve", "init"],
        env=place.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise Problem(
            "The database could not be prepared.",
            "Correct what it says above, and run it again.",
            "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:]),
        )
    owner = os.environ.get("SUDO_UID")
    if owner and place.credentials.exists():  # the person who typed sudo is the one to log in
        os.chown(place.credentials, int(owner), int(os.environ.get("SUDO_GID", "-1")))
