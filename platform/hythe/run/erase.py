"""What goes when a destroyed app's last container has gone."""

from collections.abc import Callable, Sequence

from sqlalchemy import select

from hythe import logs
from hythe.engine.port import Engine
from hythe.model import App, Database, Deployment
from hythe.names import Names
from hythe.settings import Settings
from hythe.transcript import Transcript

log = logs.get(__name__)


class Eraser:
    """Removes the network, the images, what the other stages keep, and last the rows."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        engine: Engine,
        names: Names,
        forget: Sequence[Callable[[int], None]],
    ) -> None:
        self._settings = settings
        self._database = database
        self._engine = engine
        self._names = names
        self._forget = forget  # each gets the app's id and removes what a stage keeps of it

    def erase(self, app_id: int) -> None:
        for forget in self._forget:
            forget(app_id)
        self._engine.instances.remove_network(self._names.network(app_id))
        for prefix in (self._names.app_image(app_id, ""), self._names.layers_image(app_id, "")):
            for ref in self._engine.images.list(prefix.removesuffix(":")):
                if ref.startswith(prefix):
                    self._engine.images.remove(ref)
        self._remove_transcripts(app_id)
        with self._database.write() as tx:
            app = tx.get(App, app_id)
            if app is not None:
                app.serving_id = None
                tx.flush()
                tx.note("app.destroyed", f"{app.name} is gone", app_id=app_id)
                tx.delete(app)
        log.info("app erased", app=app_id)

    def _remove_transcripts(self, app_id: int) -> None:
        with self._database.read() as session:
            ids = session.scalars(select(Deployment.id).where(Deployment.app_id == app_id)).all()
        for deployment_id in ids:
            Transcript.of(self._settings, deployment_id).path.unlink(missing_ok=True)
