"""bin/bench api: answers about 200 apps, the dashboard's cold load, and memory with 100 apps.

On SQLite, or on the empty database that HYTHE_DATABASE_URL names. The targets: every list and
detail at most 50 ms (p95), a cold dashboard at most 300 KiB of compressed script and interactive
within a second.
"""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import crowd, page
from bench.figure import Figure
from bench.installation import ROOT, free_port
from bench.populate import INSTANCES, RELEASES, populate
from bench.push import note
from hythe.api.app import endpoints
from hythe.api.tokens import mint
from hythe.model import Database, Vault
from hythe.model.schema import migrate
from hythe.settings import Settings

APPS = 200
REQUESTS = 60  # a round
BUDGET = 50  # ms


def measure(pairs: int) -> list[Figure]:
    """`pairs` rounds of each endpoint, and so many loads of the dashboard."""
    return [*answers(pairs), *crowd.measure()]


def answers(pairs: int) -> list[Figure]:
    """Measure on a database that is filled for it; the dashboard has to be built."""
    with tempfile.TemporaryDirectory(prefix="hythe-bench-") as folder:
        settings = Settings(home=Path(folder), api_port=free_port())
        note(f"making {APPS} apps with {APPS * sum(INSTANCES.values())} instances")
        token = fill(settings)
        with serving(settings):
            return [
                *(answer(settings, token, path, pairs) for path in lists_and_details()),
                *page.measure(settings.api_url, token, pairs),
            ]


def answer(settings: Settings, token: str, path: str, rounds: int) -> Figure:
    return Figure(f"p95 of GET {path}", p95s(settings, token, path, rounds), "ms", ("<=", BUDGET))


def fill(settings: Settings) -> str:
    """Make the database; returns a token."""
    migrate(settings.database)
    database = Database(settings.database)
    populate(database, Vault.open(settings.key_file), settings, APPS)
    with database.write() as tx:
        token = mint(tx, "bench", "manage")[1]
    database.close()
    return token


@contextmanager
def serving(settings: Settings) -> Iterator[None]:
    environment = {
        **os.environ,
        "HYTHE_HOME": str(settings.home),
        "HYTHE_API_PORT": str(settings.api_port),
        "PYTHONPATH": str(ROOT),
    }
    server = subprocess.Popen([sys.executable, "-m", "bench.api_server"], env=environment)
    try:
        deadline = time.monotonic() + 30
        while not _answers(settings):
            assert server.poll() is None and time.monotonic() < deadline, "it does not start"
            time.sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait(20)


def _answers(settings: Settings) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", settings.api_port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def lists_and_details() -> list[str]:
    """All GET requests of the API that end by themselves, from its own description."""
    return [
        path
        for path, operations in endpoints().openapi()["paths"].items()
        if "get" in operations and not path.endswith("/follow") and path != "/v1/session"
    ]


def p95s(settings: Settings, token: str, path: str, rounds: int) -> list[float]:
    """The 95th percentile of each round, ms: one request at a time, each about another app."""
    connection = http.client.HTTPConnection("127.0.0.1", settings.api_port, timeout=30)
    headers = {"Authorization": f"Bearer {token}"}
    found = []
    for _ in range(rounds):
        took = []
        for number in range(REQUESTS):
            started = time.perf_counter()
            connection.request("GET", _filled(path, number * 3 % APPS), headers=headers)
            response = connection.getresponse()
            body = response.read()
            took.append((time.perf_counter() - started) * 1000)
            assert response.status == 200, (path, response.status, body)
        found.append(sorted(took)[int(REQUESTS * 0.95)])
    connection.close()
    return found


def _filled(path: str, number: int) -> str:
    """A path about app `number`, and the newest of its deployments, builds and releases."""
    newest = str((number + 1) * RELEASES)
    values = {"app": f"app-{number:03}", "version": str(RELEASES)}
    values |= {"deployment_id": newest, "build_id": newest}
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", value)
    return f"{path}?to=1" if path.endswith("/diff") else path
