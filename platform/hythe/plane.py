"""The control plane put together: the composition root, the only place that chooses adapters."""

import os
import signal
import sys

from hythe import __version__, logs
from hythe.api.app import create_app
from hythe.api.context import Context
from hythe.api.server import Server, open_plain, open_tls
from hythe.build.nursery import Nursery
from hythe.build.stage import BuildStage
from hythe.engine import docker
from hythe.engine.fenced import fenced
from hythe.errors import DatabaseAway
from hythe.leading import Alone, Leading, Stage
from hythe.model import Database, Vault, schema
from hythe.model.hearing import Hearing
from hythe.model.identity import Record, recognise
from hythe.model.lead import Lead
from hythe.names import Names
from hythe.observe.collection import Collection
from hythe.observe.directory import Directory
from hythe.observe.noticing import Noticing
from hythe.observe.reader import LogReader
from hythe.observe.scaler import Scaler
from hythe.observe.store import LogStore
from hythe.observe.transcripts import Transcripts
from hythe.release.changes import ReleaseChanges
from hythe.release.stage import ReleaseStage
from hythe.run.oneoffs import OneOffs
from hythe.run.stage import RunStage
from hythe.settings import Settings
from hythe.source.stage import SourceStage

log = logs.get(__name__)


def serve(settings: Settings, nursery: Nursery, inherited: int | None = None) -> None:
    """Answer the API, and lead when nobody else does; returns after SIGTERM or SIGINT.

    inherited: the API's socket, from the image of this process before.
    """
    database = Database(settings.database)
    lead = Lead(database) if database.shared else None
    ours = database if lead is None else database.fenced(lead.examine)
    installation, vault = _recognise(settings, database)
    plain, listener = open_plain(settings, inherited), open_tls(settings)
    source = SourceStage(settings, database, vault, ours)
    directory = Directory(settings, ours)
    engine = docker.connect()

    def start_over() -> None:
        nursery.stop()
        os.set_inheritable(plain.fileno(), True)  # who asks the API now waits a moment
        again = [sys.executable, "-m", "hythe.serve", "run", "--socket", str(plain.fileno())]
        os.execv(sys.executable, again)

    leading = Leading(
        lead or Alone(),
        Hearing(database) if lead is not None else None,
        lambda: _stages(settings, ours, lead, nursery, source, directory),
        start_over,
    )
    context = Context(
        settings=settings,
        database=database,
        vault=vault,
        names=Names(installation),
        source=source,
        changes=ReleaseChanges(settings, vault),
        logs=LogReader(settings),
        engine=engine,
        certificate=lambda: listener.certificate if listener is not None else None,
        leads=lambda: leading.leads,
        tell_collector=lambda: directory.refresh() if leading.leads else None,
        running=lambda: next((s for s in leading.stages if isinstance(s, RunStage)), None),
    )
    app = create_app(context)

    def let_go() -> None:
        """End what would hold the server up: browsers come back, pushers are told."""
        context.open_streams.close()
        source.stop()

    nursery.watch(start_over)  # threads run by now, so only a new image can have another one
    leading.start()
    if listener is not None:
        shown = listener.certificate
        log.info("serving TLS", url=settings.control_url, fingerprint=shown.fingerprint)
    log.info("control plane ready", api=settings.api_url, installation=installation)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn raises it again when it has ended
    try:
        Server(app, listener, at_exit=let_go).run(sockets=[plain])
    finally:
        leading.stop()
        database.close()
    log.info("control plane stopped")


def _recognise(settings: Settings, database: Database) -> tuple[str, Vault]:
    """The installation's id and key; from HYTHE_HOME alone while a PostgreSQL server is away."""
    try:
        schema.require_current(settings.database)
        row, vault = recognise(settings, database)
        return row.id, vault
    except DatabaseAway as error:
        record = Record.load(settings)
        if record is None or not database.shared:
            raise
        log.warning("the database is away", cause=error.cause)
        return record.id, Vault.open(settings.key_file)


def _stages(
    settings: Settings,
    database: Database,
    lead: Lead | None,
    nursery: Nursery,
    source: SourceStage,
    directory: Directory,
) -> list[Stage]:
    """All that acts, for one who leads."""
    schema.require_current(settings.database)
    installation, vault = recognise(settings, database)
    names = Names(installation.id)
    engine = docker.connect()
    if lead is not None:
        engine = fenced(engine, lead.check)

    def isolate() -> None:
        """From an app's network the host answers on the router's ports only."""
        ports = [port for port in (settings.http_port, settings.https_port) if port]
        engine.instances.isolate(names.bridge_prefix, ports)

    isolate()
    transcripts = Transcripts(settings, database)
    build = BuildStage(settings, database, engine, names, vault, nursery, transcripts.announce)
    store = LogStore(settings)

    def listed() -> None:
        directory.refresh()
        transcripts.refresh()

    watched = Collection(settings, names, store).watched(engine, listed)
    release = ReleaseStage(settings, database, watched, names, vault)
    one_offs = OneOffs(settings, database, watched, names, vault, store.say)
    run_stage = RunStage(
        settings,
        database,
        watched,
        names,
        vault,
        epoch=installation.epoch,
        say=store.say,
        announce=directory.refresh,
        isolate=isolate,
        looks=[Noticing(settings, database).look, Scaler(settings, database).look],
        forget=[build.forget, release.forget, one_offs.forget, directory.forget, store.remove],
    )
    with database.write() as tx:
        tx.note("platform.start", f"The control plane {__version__} started")
    return [run_stage, one_offs, release, source, build]
