"""The control plane put together: the composition root, the only place that chooses adapters."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Protocol

import uvicorn

from hythe import logs
from hythe.api.app import create_app
from hythe.api.context import Context
from hythe.build.nursery import Nursery
from hythe.build.stage import BuildStage
from hythe.engine import docker
from hythe.model import Database, Vault
from hythe.names import Names
from hythe.observe.collect import Collector
from hythe.observe.reader import LogReader
from hythe.observe.store import LogStore
from hythe.release.changes import ReleaseChanges
from hythe.release.stage import ReleaseStage
from hythe.run.stage import RunStage
from hythe.settings import Settings
from hythe.source.stage import SourceStage

log = logs.get(__name__)

GRACE_SECONDS = 2


class Stage(Protocol):
    """What works in threads of its own between start and stop."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Server(uvicorn.Server):
    """Tells pushers that their deployment goes on, before their connections end."""

    def __init__(self, config: uvicorn.Config, at_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._at_exit = at_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        threading.Thread(target=self._at_exit, name="let-pushers-go").start()
        super().handle_exit(sig, frame)


def serve(settings: Settings, nursery: Nursery) -> None:
    """Start every stage and the API; returns after SIGTERM or SIGINT."""
    database = Database(settings.database)
    installation = database.installation()
    names = Names(installation.id)
    vault = Vault.open(settings.key_file)
    engine = docker.connect()

    def isolate() -> None:
        """From an app's network the host answers on the router's ports only."""
        ports = [port for port in (settings.http_port, settings.https_port) if port]
        engine.instances.isolate(names.bridge_prefix, ports)

    isolate()
    source = SourceStage(settings, database)
    build = BuildStage(settings, database, engine, names, vault, nursery)
    store = LogStore(settings)
    collector = Collector(settings, database, engine, names)
    release = ReleaseStage(settings, database, engine, names, vault, collector.complete)
    run_stage = RunStage(
        settings,
        database,
        engine,
        names,
        vault,
        epoch=installation.epoch,
        say=store.say,
        complete=collector.complete,
        isolate=isolate,
        forget=[build.forget, release.forget, store.remove],
    )
    app = create_app(
        Context(
            settings=settings,
            database=database,
            vault=vault,
            names=names,
            source=source,
            changes=ReleaseChanges(settings, vault),
            logs=LogReader(settings),
        )
    )
    stages: list[Stage] = [collector, run_stage, release, source, build]
    for stage in stages:
        stage.start()
    log.info("control plane ready", api=settings.api_url, installation=installation.id)
    server = Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=settings.api_port,
            loop="asyncio",  # uvloop would cost 4 MB, and few requests come here
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            lifespan="off",
        ),
        at_exit=source.stop,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn raises it again when it has ended
    try:
        server.run()
    finally:
        for stage in reversed(stages):
            stage.stop()
        database.close()
    log.info("control plane stopped")
