"""Settling: when a deployment has ended, the repository is told what came of it.

A live push moves the deploy branch; whatever became a release is kept as refs/hythe/v<N>. Until
then refs/hythe/sources/<id> holds the source, and says that it is not settled yet: a pusher who
went away, or a restart, changes nothing.
"""

import shutil
import threading
from collections import defaultdict

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from hythe import logs
from hythe.errors import HytheError
from hythe.model import App, Bell, Database, Deployment, Release, Source
from hythe.settings import Settings
from hythe.source import snapshot
from hythe.source.repository import HELD, KEPT, Repository

RESYNC_SECONDS = 60

log = logs.get(__name__)


class Settler:
    """A thread that settles on every bell; `settle` may be called from any thread."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._bell: Bell = database.subscribe()
        self._lock = threading.Lock()
        self._open: dict[int, set[int]] = defaultdict(set)  # app id: source ids not settled
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="settler", daemon=True)

    def start(self) -> None:
        """Find what an earlier control plane left open, and begin."""
        for path in (self._settings.home / "repositories").glob("*.git"):
            if path.stem.isdecimal():
                repository = Repository(self._settings, int(path.stem))
                repository.unlock()
                held = repository.refs(HELD)
                self._open[repository.app_id].update(int(ref.rpartition("/")[2]) for ref in held)
        self._bell.ring(*self._open)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._bell.ring()
        if self._thread.is_alive():
            self._thread.join(10)

    def watch(self, source: Source) -> None:
        """Settle a held source once its deployment has ended; for after the commit of its rows."""
        with self._lock:
            self._open[source.app_id].add(source.id)

    def settle(self, app_id: int) -> None:
        """Settle all ended deployments of an app."""
        with self._lock:
            if not self._open.get(app_id):
                return
            with self._database.read() as session:
                rows = session.execute(
                    select(Deployment, Source, Release.version)
                    .join(Source, Deployment.source_id == Source.id)
                    .outerjoin(Release, Deployment.release_id == Release.id)
                    .where(Source.id.in_(self._open[app_id]))
                    .where(Deployment.kind.in_(["push", "upload", "git", "commit"]))
                    .order_by(Deployment.id)
                ).all()
            refs: dict[str, str | None] = {}
            settled = self._open[app_id] - {source.id for _, source, _ in rows}  # never committed
            for deployment, source, version in rows:
                if deployment.ended:
                    refs.update(_outcome(deployment, source, version))
                    settled.add(source.id)
            refs.update({f"{HELD}{source_id}": None for source_id in settled})
            if refs:
                repository = Repository(self._settings, app_id)
                repository.move(refs)
                self._open[app_id] -= settled
                repository.tidy()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for app_id in self._bell.wait(RESYNC_SECONDS) or set(self._open):
                try:
                    self._clear(app_id)
                    self.settle(app_id)
                except (HytheError, OSError, SQLAlchemyError) as error:
                    log.error("settling failed", app=app_id, error=str(error))

    def _clear(self, app_id: int) -> None:
        """Remove the code and the snapshots of an app whose row is gone."""
        repository = Repository(self._settings, app_id)
        if not repository.path.exists():
            return
        with self._database.read() as session:
            if session.get(App, app_id) is not None:
                return
        with self._lock:
            self._open.pop(app_id, None)
            shutil.rmtree(repository.path, ignore_errors=True)
            shutil.rmtree(snapshot.folder(self._settings, app_id), ignore_errors=True)


def _outcome(deployment: Deployment, source: Source, version: int | None) -> dict[str, str | None]:
    refs: dict[str, str | None] = {}
    if version is not None:
        refs[f"{KEPT}{version}"] = source.kept
    if deployment.status == "live" and deployment.kind == "push" and source.ref:
        refs[source.ref] = source.commit
    return refs
