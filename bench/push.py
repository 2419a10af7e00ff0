"""bin/bench push: from `git push` to the first answer of the new version, beside the bare floor.

The floor is what the engine itself needs for the same image: create, start, first 200. Both are
measured in turns, with the same client asking all the while, and compared pair by pair.
"""

import http.client
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import docker

from bench.figure import Figure, ratios
from bench.installation import Installation, Project, until
from bench.memory import family, pss
from bench.observer import Observer

APP = "bench"
RATE = 200  # requests a second
CODE = """\
import os

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return os.environ["HYTHE_RELEASE"] + " code {version}"
"""


def measure(pairs: int) -> list[Figure]:
    """Measure on an installation of its own, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="hythe-bench-") as folder:
        installation = Installation(Path(folder) / "home")
        try:
            note("starting an installation")
            installation.up("--no-example")
            project = flask_app(installation, Path(folder) / APP)
            return [
                *pushes(project, pairs, instances=1),
                *pushes(project, pairs, instances=3),
                *rollbacks(project, pairs),
                *idle_memory(installation),
                again(installation, pairs),
            ]
        finally:
            installation.remove()


def flask_app(installation: Installation, folder: Path) -> Project:
    """A Flask app on gunicorn, deployed once, so that its dependencies are in place."""
    project = installation.project(APP, "flask-worker", folder)
    for name in ("worker.py", "release.py"):
        (folder / name).unlink()
    (folder / "Procfile").write_text("web: gunicorn app:app\n")
    change(project, 0)
    note("first push, which installs the dependencies")
    project.push()
    return project


def change(project: Project, version: int) -> None:
    """Commit a change of the code only."""
    (project.folder / "app.py").write_text(CODE.format(version=version))
    project.commit(f"Version {version}")


def pushes(project: Project, pairs: int, instances: int) -> list[Figure]:
    project.hythe("ps:scale", f"web={instances}")
    until(lambda: running(project) == instances, seconds=90)
    firsts, wholes, floors = [], [], []
    with Observer(project.installation, APP, RATE) as observer:
        for number in range(pairs):
            note(f"push {number + 1} of {pairs} to {instances} instance(s)")
            change(project, time.monotonic_ns())
            started = time.monotonic()
            pushing = subprocess.Popen(
                ["git", "push", "-q", "hythe", "main"],
                cwd=project.folder,
                env=project.installation.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            firsts.append(observer.next_body() - started)
            output, _ = pushing.communicate(timeout=300)
            wholes.append(time.monotonic() - started)
            if pushing.returncode != 0:
                raise AssertionError(f"git push failed:\n{output}")
            floors.append(floor(project))
    label = "1 instance" if instances == 1 else f"{instances} instances"
    for failure in observer.failures[:10]:
        note(f"failed request: {failure}")
    return [
        Figure(f"floor: create, start, first 200 ({label})", floors, "s"),
        Figure(f"push to the first 200 ({label})", firsts, "s"),
        Figure(f"push until it returns ({label})", wholes, "s"),
        Figure(
            f"push to the first 200 / floor ({label})",
            ratios(firsts, floors),
            "x",
            ("<=", 2.5) if instances == 1 else None,
        ),
        Figure(f"requests asked during the pushes ({label})", [observer.asked], "requests"),
        Figure(f"failed requests ({label})", [len(observer.failures)], "requests", ("=", 0)),
    ]


def rollbacks(project: Project, pairs: int) -> list[Figure]:
    """`hythe rollback` to its first 200, the start of the command line included."""
    project.hythe("ps:scale", "web=1")
    until(lambda: running(project) == 1, seconds=90)
    firsts, floors = [], []
    with Observer(project.installation, APP, RATE) as observer:
        for number in range(pairs):
            note(f"rollback {number + 1} of {pairs}")
            started = time.monotonic()
            project.hythe("rollback")
            firsts.append(observer.next_body() - started)
            floors.append(floor(project))
    return [
        Figure("rollback to the first 200", firsts, "s"),
        Figure("rollback to the first 200 / floor", ratios(firsts, floors), "x", ("<=", 1.5)),
        Figure("failed requests (rollbacks)", [len(observer.failures)], "requests", ("=", 0)),
    ]


def floor(project: Project) -> float:
    """Seconds to create and start the serving image without Hythe, up to its first 200."""
    with closing(docker.from_env()) as engine:
        serving = newest(engine, project)["Config"]
        return start_to_first_200(engine, serving, serving["Image"])


def start_to_first_200(engine: Any, serving: dict[str, Any], image: str) -> float:
    """Seconds to create and start an image as an instance with this configuration is."""
    started = time.monotonic()
    container = engine.api.create_container(
        image,
        command=serving["Cmd"],
        entrypoint=serving["Entrypoint"],
        environment=serving["Env"],
        user=serving["User"],
    )["Id"]
    try:
        engine.api.start(container)
        address = engine.api.inspect_container(container)["NetworkSettings"]["IPAddress"]
        port = next(pair[5:] for pair in serving["Env"] if pair.startswith("PORT="))
        while not answers(address, int(port)):
            time.sleep(0.005)
        return time.monotonic() - started
    finally:
        engine.api.remove_container(container, force=True, v=True)


def answers(address: str, port: int) -> bool:
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def containers(engine: Any, project: Project) -> list[dict[str, Any]]:
    labels = [
        f"io.hythe.installation={project.installation.id}",
        f"io.hythe.app-name={project.app}",
        "io.hythe.process=web",
    ]
    found: list[dict[str, Any]] = engine.api.containers(filters={"label": labels})
    return found


def newest(engine: Any, project: Project) -> dict[str, Any]:
    """The description of the container that was created last."""
    last = max(containers(engine, project), key=lambda one: one["Created"])
    described: dict[str, Any] = engine.api.inspect_container(last["Id"])
    return described


def running(project: Project) -> int:
    engine = docker.from_env()
    try:
        return len(containers(engine, project))
    finally:
        engine.close()


def idle_memory(installation: Installation) -> list[Figure]:
    """PSS of both programs with all their processes, half a minute after the last request."""
    note("waiting for the programs to be idle")
    time.sleep(30)
    control, router, total = [], [], []
    for _ in range(5):
        control.append(pss(*family(installation.pid("control-plane"))))
        router.append(pss(*family(installation.pid("router"))))
        total.append(control[-1] + router[-1])
        time.sleep(1)
    return [
        Figure("idle memory, control plane", control, "MiB"),
        Figure("idle memory, router with two workers", router, "MiB"),
        Figure("idle memory, both", total, "MiB", ("<=", 150)),
        Figure("idle memory, log collector", [pss(installation.pid("collector"))], "MiB"),
        Figure("idle memory, supervisor", [pss(installation.pid("supervisor"))], "MiB"),
    ]


def again(installation: Installation, times: int) -> Figure:
    seconds = []
    for _ in range(times):
        started = time.monotonic()
        installation.up("--no-example")
        seconds.append(time.monotonic() - started)
    return Figure("bin/up again", seconds, "s", ("<", 5))


def note(text: str) -> None:
    """Progress goes to standard error; standard output is for the figures."""
    print(f"... {text}", file=sys.stderr, flush=True)
