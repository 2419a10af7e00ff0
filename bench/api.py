"""bin/bench api: answers about 200 apps, the dashboard's cold load, and memory with 100 apps.

On SQLite and on a PostgreSQL server of its own. The targets: every list and detail at most 50 ms
(p95), a cold dashboard at most 300 KiB of compressed script and interactive within a second, and
at most 1.3 times the memory of one app.
"""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import create_engine, text

from bench import crowd, page, postgres
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
PARTS = ("answers", "memory")


def measure(pairs: int, *, parts: Collection[str] = (), quick: bool = False) -> list[Figure]:
    """`pairs` rounds of each endpoint, and so many loads of the dashboard; `quick`: one of each."""
    figures: list[Figure] = []
    with stores() as empty:
        for store, database in empty.items() if not parts or "answers" in parts else ():
            with database() as url:
                figures += answers(1 if quick else pairs, store, url)
        for store, database in empty.items() if not parts or "memory" in parts else ():
            with database() as url:
                figures += crowd.measure(store, url)
    return figures


@contextmanager
def stores() -> Iterator[dict[str, Callable[[], AbstractContextManager[str]]]]:
    """What makes an empty database, by its kind; the URL is empty for SQLite."""
    programs = postgres.programs()
    if programs is None:
        note("no PostgreSQL server is installed (Debian's package postgresql): SQLite alone")
        yield {"SQLite": lambda: nullcontext("")}
        return
    with postgres.running(programs) as server:
        yield {"SQLite": lambda: nullcontext(""), "PostgreSQL": server.database}


def answers(pairs: int, store: str, database_url: str) -> list[Figure]:
    """Measure on a database that is filled for it; the dashboard, which has to be built, once."""
    with tempfile.TemporaryDirectory(prefix="hythe-bench-") as folder:
        settings = Settings(home=Path(folder), api_port=free_port(), database_url=database_url)
        note(f"making {APPS} apps with {APPS * sum(INSTANCES.values())} instances on {store}")
        token = fill(settings)
        with serving(settings):
            note(f"asking on {store}")
            figures = [
                Figure(
                    f"p95 of GET {path}, {store}",
                    p95s(settings, token, path, pairs),
                    "ms",
                    ("<=", BUDGET),
                )
                for path in lists_and_details()
            ]
            if not database_url:
                figures += page.measure(settings.api_url, token, pairs)
            return figures


def fill(settings: Settings) -> str:
    """Make the database; returns a token."""
    migrate(settings.database)
    database = Database(settings.database)
    populate(database, Vault.open(settings.key_file), settings, APPS)
    with database.write() as tx:
        token = mint(tx, "bench", "manage")[1]
    database.close()
    if settings.database_url:  # what the server does by itself, a minute after so many changes
        rest = create_engine(settings.database_url, isolation_level="AUTOCOMMIT")
        with rest.connect() as connection:
            connection.execute(text("VACUUM ANALYZE"))
        rest.dispose()
    return token


@contextmanager
def serving(settings: Settings) -> Iterator[None]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HYTHE_")},
        "HYTHE_HOME": str(settings.home),
        "HYTHE_DATABASE_URL": settings.database_url,
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
