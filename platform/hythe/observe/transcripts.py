"""The control plane's end of builds' output: it tells the collector of deployments that are built.

What a build prints is in its deployment's transcript. That is announced when the build begins, and
ended with the deployment; see sources.py.
"""

from sqlalchemy import select

from hythe import logs
from hythe.errors import HytheError
from hythe.model import ENDED as OVER
from hythe.model import Database, Deployment
from hythe.observe.origin import Origin
from hythe.observe.sources import ENDED, SOURCE, STORED, TRANSCRIPT, Source, Sources
from hythe.settings import Settings
from hythe.transcript import Transcript

PROCESS = "build"

log = logs.get(__name__)


class Transcripts:
    """Announces and ends; never raises: who builds does not wait for logs."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._sources = Sources(settings.home)

    def announce(self, deployment_id: int, app_id: int) -> None:
        """A deployment is about to be built, perhaps again."""
        path = Transcript.of(self._settings, deployment_id).path
        origin = Origin(app_id, PROCESS, index=0, release="", deployment=deployment_id)
        try:
            self._sources.announce(Source(f"{TRANSCRIPT}{deployment_id}", TRANSCRIPT, path, origin))
        except OSError as error:
            log.warning("the collector was not told", deployment=deployment_id, error=str(error))

    def refresh(self) -> None:
        """End those that are over; forget those of which the collector says that all is stored."""
        try:
            self._settle()
        except (OSError, HytheError) as error:  # the next call tries again
            log.warning("the collector was not told of a build's end", error=str(error))

    def _settle(self) -> None:
        said = self._sources.ids()
        numbers = {key.removeprefix(TRANSCRIPT): key for key in said[SOURCE]}
        known = {
            int(number): key
            for number, key in numbers.items()
            if number != key and number.isdecimal()
        }
        if not known:
            return
        with self._database.read() as session:
            under_way = session.scalars(
                select(Deployment.id).where(
                    Deployment.id.in_(known), Deployment.status.not_in(OVER)
                )
            ).all()
        for number in known.keys() - set(under_way):
            if known[number] in said[STORED]:
                self._sources.forget(known[number])
            elif known[number] not in said[ENDED]:
                self._sources.end(known[number])
