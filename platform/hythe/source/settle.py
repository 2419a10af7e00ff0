"""Settling: when a deployment has ended, the repository is told what came of it.

A live push moves the deploy branch; whatever became a release is kept as refs/hythe/v<N>. Until
then refs/hythe/sources/<id> holds the source, and says that it is not settled yet: a pusher who
went away, or a restart, changes nothing.
"""

import contextlib
import shutil
import threading
import time
from collections import defaultdict

from sqlalchemy import Exists, exists, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from hythe import logs
from hythe.errors import HytheError
from hythe.model import App, Bell, Database, Deployment, Event, Release, Source, Write
from hythe.settings import Settings
from hythe.source import snapshot
from hythe.source.heir import last_heir
from hythe.source.repository import HELD, KEPT, Repository

RESYNC_SECONDS = 60
ASIDE = "repositories-without-app"  # in HYTHE_HOME

log = logs.get(__name__)


class Settler:
    """A thread that settles on every bell; `settle` may be called from any thread."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._bell: Bell = database.subscribe()
        self._lock = threading.Lock()
        self._open: dict[int, set[int]] = defaultdict(set)  # app id: sources not settled
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="settler", daemon=True)

    def start(self) -> None:
        """Find what an earlier control plane left open, and begin."""
        with self._database.write():  # in which nobody else moves a ref
            for repository in self._repositories():
                repository.unlock()
        for repository in self._repositories():
            held = repository.refs(HELD)
            self._open[repository.app_id].update(int(ref.rpartition("/")[2]) for ref in held)
        self._bell.ring(*(repository.app_id for repository in self._repositories()))
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._bell.ring()
        if self._thread.is_alive():
            self._thread.join(10)

    def settle(self, app_id: int) -> None:
        """Settle all ended deployments of an app. Raises LeadLost when another one does that."""
        with self._lock:
            held = self._held(app_id)
            if not held:
                return
            with self._database.read() as session:
                rows = _rows(session, held)
                if len(rows) == len(held) and not any(
                    last_heir(session, deployment).ended for deployment, _, _ in rows
                ):
                    return
            with self._database.write() as tx:  # in which nobody holds a source or moves a ref
                self._settle(tx, app_id)
            Repository(self._settings, app_id).tidy()

    def _settle(self, tx: Write, app_id: int) -> None:
        held = self._held(app_id)
        rows = _rows(tx, held)
        refs: dict[str, str | None] = {}
        settled = held - {source.id for _, source, _ in rows}  # never committed
        for deployment, source, version in rows:
            last = last_heir(tx, deployment)
            if last.ended:
                live = last.status == "live" and deployment.kind == "push"
                refs.update(_outcome(source, version, live))
                settled.add(source.id)
        refs.update({f"{HELD}{source_id}": None for source_id in settled})
        Repository(self._settings, app_id).move(refs)
        self._open[app_id] -= settled

    def _held(self, app_id: int) -> set[int]:
        """The sources that are held: seen at the start or since, whoever took them in."""
        folder = Repository(self._settings, app_id).path / HELD
        with contextlib.suppress(FileNotFoundError):
            self._open[app_id].update(
                int(path.name) for path in folder.iterdir() if path.name.isdecimal()
            )
        return set(self._open[app_id])

    def _repositories(self) -> list[Repository]:
        found = (self._settings.home / "repositories").glob("*.git")
        return [
            Repository(self._settings, int(path.stem)) for path in found if path.stem.isdecimal()
        ]

    def _run(self) -> None:
        while not self._stopping.is_set():
            due = self._bell.wait(RESYNC_SECONDS) or {one.app_id for one in self._repositories()}
            for app_id in due:
                try:
                    self._clear(app_id)
                    self.settle(app_id)
                except (HytheError, OSError, SQLAlchemyError) as error:
                    log.error("settling failed", app=app_id, error=str(error))

    def _clear(self, app_id: int) -> None:
        """Remove the code and the snapshots of an app that was destroyed.

        The code of one that the database does not know is moved aside: this may be a copy of
        yesterday, and the only place of what was uploaded since.
        """
        repository = Repository(self._settings, app_id)
        if not repository.path.exists():
            return
        with self._database.read() as session:
            if session.get(App, app_id) is not None:
                return
            destroyed = session.scalar(select(_destroyed(app_id)))
        with self._lock:
            self._open.pop(app_id, None)
            if destroyed:
                shutil.rmtree(repository.path, ignore_errors=True)
            else:
                _move_aside(self._settings, repository)
            shutil.rmtree(snapshot.folder(self._settings, app_id), ignore_errors=True)
            snapshot.lock_file(self._settings, app_id).unlink(missing_ok=True)


def _destroyed(app_id: int) -> Exists:
    return exists().where(Event.kind == "app.destroyed", Event.data["app"].as_integer() == app_id)


def _move_aside(settings: Settings, repository: Repository) -> None:
    aside = settings.home / ASIDE
    aside.mkdir(mode=0o700, exist_ok=True)
    to = aside / f"{repository.app_id}-{time.strftime('%Y%m%d-%H%M%S')}.git"
    repository.path.rename(to)
    log.warning("code of no app of this database moved aside", app=repository.app_id, to=str(to))


def _rows(session: Session, sources: set[int]) -> list[tuple[Deployment, Source, int | None]]:
    found = session.execute(
        select(Deployment, Source, Release.version)
        .join(Source, Deployment.source_id == Source.id)
        .outerjoin(Release, Deployment.release_id == Release.id)
        .where(Source.id.in_(sources))
        .where(Deployment.kind.in_(["push", "upload", "git", "commit"]))
        .order_by(Deployment.id)
    )
    return [(deployment, source, version) for deployment, source, version in found]


def _outcome(source: Source, version: int | None, live: bool) -> dict[str, str | None]:
    refs: dict[str, str | None] = {}
    if version is not None:
        refs[f"{KEPT}{version}"] = source.kept
    if live and source.ref:
        refs[source.ref] = source.commit
    return refs
