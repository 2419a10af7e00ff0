"""Source folders that are gone are laid out again from the repository, for builds that need them.

A release that is built again after a restore, or years after its push, has its objects under
refs/hythe/v<N>, but its folder was removed long ago.
"""

from collections.abc import Callable

from sqlalchemy import select

from hythe import logs
from hythe.errors import HytheError, SourceError
from hythe.model import Database, Deployment, Source, fail
from hythe.model.watch import Watch
from hythe.settings import Settings
from hythe.transcript import Transcript

RESYNC_SECONDS = 60

log = logs.get(__name__)


class Refill:
    """Looks at queued deployments on every bell."""

    def __init__(
        self, settings: Settings, database: Database, lay_out: Callable[[Source], None]
    ) -> None:
        self._settings = settings
        self._database = database
        self._lay_out = lay_out
        self._watch = Watch(database, "refill", self.fill, RESYNC_SECONDS)

    def start(self) -> None:
        self._watch.start()

    def stop(self) -> None:
        self._watch.stop()

    def fill(self) -> None:
        """Lay out what queued deployments lack; one whose objects are gone has failed."""
        with self._database.read() as session:
            queued = session.execute(
                select(Deployment.id, Source)
                .join(Source, Deployment.source_id == Source.id)
                .where(Deployment.status == "queued", Source.kind != "image")
            ).all()
        for deployment_id, source in queued:
            if all((self._settings.home / folder).is_dir() for folder in source.folders):
                continue
            try:
                self._lay_out(source)
            except (HytheError, OSError) as error:
                log.error("source cannot be laid out", app=source.app_id, error=str(error))
                self._fail(deployment_id)
            self._database.ring(source.app_id)

    def _fail(self, deployment_id: int) -> None:
        error = SourceError(
            "The source of this release is not in the repository any more.",
            "Push it again: `git push hythe`, or upload the folder with `hythe deploy`.",
        )
        with self._database.write() as tx:
            deployment = tx.get(Deployment, deployment_id)
            if deployment is not None and deployment.status == "queued":
                Transcript.of(self._settings, deployment_id).warn(f"{error.cause}\n{error.fix}")
                fail(tx, deployment, error)
