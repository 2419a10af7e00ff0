"""The control plane put together: the composition root, the only place that chooses adapters."""

import signal
from typing import Protocol

from hythe import logs
from hythe.api.app import create_app
from hythe.api.context import Context
from hythe.api.server import Server, open_plain, open_tls
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


class Stage(Protocol):
    """What works in threads of its own between start and stop."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


def serve(settings: Settings, nursery: Nursery) -> None:
    """Start every stage and the API; returns after SIGTERM or SIGINT."""
    database = Database(settings.database)
    installation = database.installation()
    names = Names(installation.id)
    vault = Vault.open(settings.key_file)
    engine = docker.connect()

    def isolate() -> None:
        """From an app's network the host answers on the router's ports only."""
        ports = [settings.http_port, settings.https_port]
        engine.instances.isolate(names.bridge_prefix, ports)

    plain, listener = open_plain(settings), open_tls(settings)
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
        ),
        named=listener.covers if listener else lambda host: False,
    )
    stages: list[Stage] = [collector, run_stage, release, source, build]
    for stage in stages:
        stage.start()
    if listener is not None:
        shown = listener.certificate
        log.info("serving TLS", url=settings.control_url, fingerprint=shown.fingerprint)
    log.info("control plane ready", api=settings.api_url, installation=installation.id)
    server = Server(app, listener, at_exit=source.stop)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn raises it again when it has ended
    try:
        server.run(sockets=[plain])
    finally:
        for stage in reversed(stages):
            stage.stop()
        database.close()
    log.info("control plane stopped")
