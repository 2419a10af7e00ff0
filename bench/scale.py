"""bin/bench scale: the reconcile loop beside ever more apps, on the memory engine.

A full pass is what the loop does every 15 s: read what should be, list what is, plan every app,
and compare the route table with the rows. Nothing is to be done, as nearly always. Each size runs
in a process of its own, whose whole memory counts, the played engine included.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.figure import Figure
from bench.installation import ROOT
from bench.memory import pss
from bench.populate import RESULT
from bench.push import note
from hythe.engine.memory import Memory
from hythe.model import (
    App,
    Build,
    Database,
    Deployment,
    Formation,
    Instance,
    Release,
    Source,
    Vault,
    Write,
    now,
)
from hythe.names import LABEL_INSTANCE, Names
from hythe.run.stage import RunStage
from hythe.settings import Settings
from hythe.spec import ReleaseSpec, container

SIZES = (250, 500, 1000)
PROCESSES = {"web": 3, "worker": 2}  # of each app
IMAGE = "sha256:app"
LINEAR = 2.0  # caches hold less of a larger heap; what grows with the square of apps would be 4
LOST = 10  # containers that are removed by hand, for the last pass


def measure(pairs: int) -> list[Figure]:
    """`pairs` full passes at each size, at least three."""
    found: dict[int, dict[str, list[float]]] = {}
    for apps in SIZES:
        note(f"{apps} apps with {apps * sum(PROCESSES.values())} instances")
        command = [sys.executable, "-m", "bench.scale", str(apps), str(max(3, pairs))]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
        found[apps] = json.loads(done.stdout)
    figures = []
    for apps in SIZES:
        most = apps == SIZES[-1]
        seen = found[apps]
        figures += [
            Figure(f"full pass, {apps} apps", seen["full"], "s", ("<=", 2) if most else None),
            Figure(f"pass over one of {apps} apps", seen["one"], "ms"),
            Figure(f"memory, {apps} apps", seen["memory"], "MB", ("<=", 200) if most else None),
        ]
    each = {apps: min(found[apps]["processor"]) / apps for apps in SIZES}
    name = f"processor time an app, of {SIZES[-1]} over of {SIZES[0]}"
    figures.append(Figure(name, [each[SIZES[-1]] / each[SIZES[0]]], "x", ("<=", LINEAR)))
    return figures


def play(apps: int, rounds: int) -> dict[str, list[float]]:
    """What one process measures."""
    with tempfile.TemporaryDirectory(prefix="hythe-bench-") as folder:
        settings = Settings(home=Path(folder))
        database = Database(settings.database)
        database.create_all()
        memory, names = Memory(), Names(database.installation().id)
        memory.images_add(IMAGE)
        vault = Vault.open(settings.key_file)
        fill(settings, database, vault, memory, names, apps)
        stage = RunStage(
            settings,
            database,
            memory.engine,
            names,
            vault,
            epoch=1,
            say=lambda *_: None,
            announce=lambda: None,
            isolate=lambda: None,
        )
        loop, queue = stage._loop, stage._loop._queue
        loop.resync()  # the first one publishes the table
        began = time.process_time()
        full = [_timed(loop.resync) for _ in range(rounds)]
        processor = (time.process_time() - began) / rounds
        assert queue.next_due() is None, "an app is due, though nothing is to be done"
        one = [1000 * _timed(lambda: loop.work(app)) for app in range(1, 51)]  # noqa: B023
        used = pss(os.getpid()) * 1024**2 / 1e6
        lost = list(memory.boxes)[:: len(memory.boxes) // LOST][:LOST]
        for box in lost:
            memory.engine.instances.remove(box)
        loop.resync()
        due = 0
        while queue.next_due() is not None:
            queue.take()
            due += 1
        assert due == LOST, f"{due} apps are due, {LOST} have lost a container"
        database.close()
    return {"full": full, "processor": [processor], "one": one, "memory": [used]}


def fill(
    settings: Settings, database: Database, vault: Vault, memory: Memory, names: Names, apps: int
) -> None:
    """Apps that have converged: rows, networks and containers."""
    config = vault.seal_map({f"KEY_{number}": "x" * 40 for number in range(20)})
    for number in range(apps):
        name = f"app-{number:04}"
        with database.write() as tx:
            app, release, deployment = _app(tx, settings, name, config)
            block = number + 16
            app.subnet = f"10.{200 + block // 256}.{block % 256}.0/24"
            subnets = [app.subnet]
            memory.engine.instances.ensure_network(
                names.network(app.id), "b", subnets, names.labels
            )
            memory.clock = lambda: now().timestamp() - 5  # they were ready after they started
            for process, quantity in PROCESSES.items():
                for index in range(1, quantity + 1):
                    row = _instance(tx, app, deployment, process, index)
                    spec = container(
                        names,
                        app,
                        release,
                        {},
                        name=names.instance(name, process, index, row.id),
                        kind="instance",
                        process=process,
                        index=index,
                        deployment_id=deployment.id,
                        address=row.address,
                        restart=True,
                        labels={LABEL_INSTANCE: str(row.id)},
                    )
                    memory.engine.instances.start(memory.engine.instances.create(spec).id)


def _app(
    tx: Write, settings: Settings, name: str, config: bytes
) -> tuple[App, Release, Deployment]:
    """An app whose first release serves."""
    app = App(name=name)
    tx.add(app)
    tx.flush()
    source = Source(app_id=app.id, kind="git", tree="t" * 40, path="sources/t", created_by="bench")
    tx.add(source)
    tx.flush()
    build = Build(
        app_id=app.id,
        source_id=source.id,
        status="succeeded",
        image=IMAGE,
        processes=dict.fromkeys(PROCESSES, "serve"),
        result=RESULT,
    )
    tx.add(build)
    tx.flush()
    release = Release(
        app_id=app.id,
        version=1,
        description="Deploy",
        build_id=build.id,
        source_id=source.id,
        image=IMAGE,
        config=config,
        spec=ReleaseSpec.freeze(build, None, settings).to_json(),
        created_by="bench",
    )
    tx.add(release)
    tx.flush()
    deployment = Deployment(
        app_id=app.id, kind="push", status="live", release_id=release.id, created_by="bench"
    )
    tx.add(deployment)
    tx.flush()
    app.serving_id = deployment.id
    for process, quantity in PROCESSES.items():
        tx.add(Formation(app_id=app.id, process=process, quantity=quantity))
    return app, release, deployment


def _instance(tx: Write, app: App, deployment: Deployment, process: str, index: int) -> Instance:
    host = 16 + list(PROCESSES).index(process) * 100 + index
    row = Instance(
        app_id=app.id,
        deployment_id=deployment.id,
        process=process,
        index=index,
        address=f"{str(app.subnet).rpartition('.')[0]}.{host}",
        state="up",
        started_at=now(),
        ready_at=now(),
    )
    tx.add(row)
    tx.flush()
    return row


def _timed(work: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    print(json.dumps(play(int(sys.argv[1]), int(sys.argv[2]))))
