"""bin/bench servers: the ways to serve one Python app, as instances are started, without a router.

Each architecture is deployed from examples/servers, and its instance is asked by wrk with 16
connections, in turns. Memory is what its cgroup charges without the page cache, after the load.
"""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import docker

from bench.figure import Figure, machine
from bench.installation import Installation, Project, until
from bench.push import answers, newest, note

SECONDS, CONNECTIONS = 3, 16
WAYS = {
    "gunicorn": {},
    "mod_wsgi": {"BP_PYTHON_SERVER": "mod_wsgi"},
    "nginx": {"BP_PYTHON_SERVER": "nginx"},
    "varnish-gunicorn": {"BP_FRONT_CACHE": "varnish"},
    "varnish-nginx": {"BP_PYTHON_SERVER": "nginx", "BP_FRONT_CACHE": "varnish"},
}
TITLES = {
    "gunicorn": "gunicorn",
    "mod_wsgi": "Apache, mod_wsgi",
    "nginx": "nginx, gunicorn",
    "varnish-gunicorn": "Varnish, gunicorn",
    "varnish-nginx": "Varnish, nginx, gunicorn",
}
PATHS = {"page": "/", "cached page": "/cached", "static file": "/static/site.css"}


def measure(pairs: int) -> list[Figure]:
    """Measure on an installation of its own, which is removed afterwards."""
    if shutil.which("wrk") is None:
        raise SystemExit("This needs wrk: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="hythe-bench-") as folder:
        installation = Installation(Path(folder) / "home")
        try:
            note("starting an installation")
            installation.up("--no-example")
            apps = {way: deploy(installation, Path(folder), way) for way in WAYS}
            with closing(docker.from_env()) as engine:
                return figures(engine, apps, pairs)
        finally:
            installation.remove()


def deploy(installation: Installation, folder: Path, way: str) -> Project:
    note(f"deploying {way}")
    name = way.replace("_", "-")
    project = installation.project(name, "servers", folder / name)
    for key, value in WAYS[way].items():
        project.hythe("config:set", f"{key}={value}")
    project.push()
    return project


def figures(engine: Any, apps: dict[str, Project], pairs: int) -> list[Figure]:
    rates: dict[tuple[str, str], list[float]] = {}
    for number in range(pairs):
        note(f"asking all of them, {number + 1} of {pairs}")
        for way, project in apps.items():
            for what, path in PATHS.items():
                if what == "static file" and "nginx" not in way and way != "mod_wsgi":
                    continue  # nobody serves it there
                rates.setdefault((way, what), []).append(rate(engine, project, path))
    found = [Figure(f"{way}: {what}", got, "requests/s") for (way, what), got in rates.items()]
    for way, project in apps.items():
        described = newest(engine, project)
        found.append(Figure(f"{way}: memory", [memory(engine, described["Id"])], "MiB"))
        size = engine.api.inspect_image(described["Image"])["Size"] / 2**20
        found.append(Figure(f"{way}: image", [size], "MiB"))
    return found


def overview(figures: Sequence[Figure]) -> str:
    """A table with a row for each way, for the page about them."""
    values = {figure.name: f"{figure.value:,.0f}" for figure in figures}
    lines = [
        "| architecture | page, requests/s | a page that may be cached | static file | memory |"
        " image |",
        "|---|---|---|---|---|---|",
    ]
    for way, title in TITLES.items():
        cells = [values.get(f"{way}: {what}", "-") for what in PATHS]
        cells += [f"{values[f'{way}: {what}']} MiB" for what in ("memory", "image")]
        lines.append(f"| {' | '.join([title, *cells])} |")
    return "\n".join([*lines, "", f"{machine()}."])


def rate(engine: Any, project: Project, path: str) -> float:
    """Requests a second that wrk got answered by the app's instance."""
    described = newest(engine, project)
    networks = described["NetworkSettings"]["Networks"]
    address = next(iter(networks.values()))["IPAddress"]
    port = int(next(pair[5:] for pair in described["Config"]["Env"] if pair.startswith("PORT=")))
    until(lambda: answers(address, port), seconds=30)
    url = f"http://{address}:{port}{path}"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", url]
    done = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in done:
        raise AssertionError(done)
    got = re.search(r"Requests/sec:\s+([\d.]+)", done)
    assert got is not None, done
    return float(got[1])


def memory(engine: Any, container: str) -> float:
    """MiB that the instance's processes hold."""
    stats = json.loads(json.dumps(engine.api.stats(container, stream=False)["memory_stats"]))
    cache = stats["stats"].get("total_inactive_file", stats["stats"].get("inactive_file", 0))
    return float(stats["usage"] - cache) / 2**20
