"""bin/bench logs: a million lines of one app through the engine's rotation, and how fast they show.

A real engine, the collector's own process, and an API beside them. The targets: each line is in the
app's log or counted as lost, and `logs -t` shows its first line within 100 ms.
"""

import http.client
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import docker
from docker.types import LogConfig

from bench import belongings
from bench.api import serving
from bench.figure import Figure
from bench.installation import free_port
from bench.memory import pss
from bench.push import note
from hythe import names as n
from hythe.api.tokens import mint
from hythe.engine.docker import connect
from hythe.engine.docker.spec import LOG_FILES
from hythe.engine.port import Engine
from hythe.model import App, Database, Vault
from hythe.model.schema import migrate
from hythe.names import Names
from hythe.observe.collection import Collection
from hythe.observe.directory import Directory
from hythe.observe.line import START, LogFilter
from hythe.observe.reader import LogReader
from hythe.observe.store import LogStore
from hythe.settings import Settings
from tests.images import busybox

LINES = 1_000_000
PRINT = (
    "BEGIN {for (i = 1; i <= %d; i++)"
    ' printf "%%d GET /products/%%d from customer %%d: 200 in 12 ms\\n",'
    " i, i %% 977, i * 7 %% 3571}"
)
APP = "flood"
BUDGET = 100  # ms
LIMIT_SECONDS = 300
_LOST = re.compile(r"Error L10 \(output overflow\): (?:([0-9]+) lines? lost)?")


def measure(pairs: int) -> list[Figure]:
    """One flood, and `pairs` first answers about its log."""
    engine = connect()
    with tempfile.TemporaryDirectory(prefix="hythe-bench-") as folder:
        settings = Settings(home=Path(folder), api_port=free_port())
        migrate(settings.database)
        database = Database(settings.database)
        Vault.open(settings.key_file)
        with database.write() as tx:
            app = App(name=APP)
            tx.add(app)
            token = mint(tx, "bench", "manage")[1]
        names = Names(database.installation().id)
        directory = Directory(settings, database)
        directory.refresh()
        watched = Collection(settings, names, LogStore(settings)).watched(engine, lambda: None)
        with collecting(settings) as pid:
            note(f"printing {LINES} lines")
            figures = flood(settings, watched, names, app.id)
            figures.append(Figure("collector's memory after it", [pss(pid)], "MiB"))
        with serving(settings):
            note("asking for the first line")
            figures += answers(settings, token, pairs)
        database.close()
    return figures


@contextmanager
def collecting(settings: Settings) -> Iterator[int]:
    command = [sys.executable, "-m", "hythe.observe", "--home", str(settings.home)]
    process = subprocess.Popen(command)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def flood(settings: Settings, engine: Engine, names: Names, app_id: int) -> list[Figure]:
    """Let a container print, then count what is in the log, and what the log says is lost."""
    labels = {
        **names.labels,
        n.LABEL_KIND: "instance",
        n.LABEL_APP: str(app_id),
        n.LABEL_PROCESS: "web",
        n.LABEL_INDEX: "1",
    }
    began = time.monotonic()
    try:
        with closing(docker.from_env()) as client:
            client.containers.run(
                busybox(engine).id,
                ["awk", PRINT % LINES],
                detach=True,
                labels=labels,
                network_mode="none",
                log_config=LogConfig(type="json-file", config=LOG_FILES),
            )
        (container,) = engine.instances.list(labels)
        assert engine.instances.wait(container.id, LIMIT_SECONDS) == 0
        printed = time.monotonic() - began
        engine.instances.remove(container.id)  # returns when its log is stored
        took = time.monotonic() - began
    finally:
        belongings.remove(belongings.of_installation(names.installation))
    arrived, lost = count(LogReader(settings), app_id)
    size = sum(path.stat().st_size for path in (settings.log_dir / "apps").rglob("*.log*"))
    note(f"the container took {printed:.1f} s")
    return [
        Figure("lines that arrived, or were counted as lost", [arrived + lost], "", ("=", LINES)),
        Figure("lines that were lost", [lost], ""),
        Figure("lines a second until all were stored", [LINES / took], "/s"),
        Figure("the log on the disk", [size / 1e6], "MB", ("<=", settings.log_bytes / 1e6)),
    ]


def count(reader: LogReader, app_id: int) -> tuple[int, int]:
    """Lines in the log, each once and in order; and those that it says are lost."""
    following = reader.follow(app_id, START)
    arrived = lost = last = 0
    while lines := following.read():
        for line in lines:
            if line.source == "platform":
                found = _LOST.match(line.text)
                lost += int(found[1] or 0) if found else 0
                continue
            number = int(line.text.partition(" ")[0])
            assert number > last, f"{number} after {last}"
            last, arrived = number, arrived + 1
    return arrived, lost + following.missed.lines


def answers(settings: Settings, token: str, pairs: int) -> list[Figure]:
    looks = {
        "first line of logs -t": {"n": 100},
        "first line of logs -t -p web --since 10m": {
            "n": 100,
            "process": "web",
            "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 600)),
        },
    }
    figures = [
        Figure(
            name, [first(settings, token, query) for _ in range(4 * pairs)], "ms", ("<=", BUDGET)
        )
        for name, query in looks.items()
    ]
    reader, seldom = LogReader(settings), LogFilter(text=" GET /products/1 from customer 7: ")
    app_id = next(iter(LogStore(settings).apps()))
    began = time.monotonic()
    reader.tail(app_id, 1000, seldom)
    return [*figures, Figure("a text in a million lines", [time.monotonic() - began], "s")]


def first(settings: Settings, token: str, query: dict[str, object]) -> float:
    """Milliseconds from the request to the first line, on a new connection."""
    connection = http.client.HTTPConnection("127.0.0.1", settings.api_port, timeout=30)
    path = f"/v1/apps/{APP}/logs/follow?{urlencode(query)}"
    began = time.monotonic()
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    assert answer.status == 200
    while not answer.readline().startswith(b"data: "):
        pass
    took = time.monotonic() - began
    connection.close()
    return took * 1000
