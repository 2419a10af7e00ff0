"""The release stage: deployments go from built to rolling."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from hythe import logs
from hythe.engine.port import Container, Engine
from hythe.errors import EngineError, HytheError, ImageMissing, PlatformError
from hythe.model import (
    App,
    Build,
    Database,
    Deployment,
    Release,
    Vault,
    Write,
    fail,
    now,
    supersede,
)
from hythe.names import LABEL_APP, LABEL_DEPLOYMENT, Names
from hythe.release import release as releases
from hythe.release.phase import ReleasePhase
from hythe.settings import Settings
from hythe.spec import RELEASE_PROCESS, ReleaseSpec
from hythe.transcript import Transcript

RESYNC_SECONDS = 15
PARALLEL_PHASES = 16
ATTEMPTS = 5

log = logs.get(__name__)


class ReleaseStage:
    """Takes the oldest built deployment of each app; one at a time for an app."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        engine: Engine,
        names: Names,
        vault: Vault,
    ) -> None:
        self._settings = settings
        self._database = database
        self._vault = vault
        self._engine = engine
        self._phase = ReleasePhase(settings, database, engine, names, vault)
        self._bell = database.subscribe()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="release", daemon=True)
        self._pool = ThreadPoolExecutor(PARALLEL_PHASES, thread_name_prefix="release-phase")
        self._phases: dict[int, int] = {}  # by app: the deployment whose release phase runs
        self._attempts: Counter[int] = Counter()  # by deployment

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop taking deployments. A release phase that runs goes on in its container."""
        self._stopping.set()
        self._bell.ring(0)
        self._phase.leave()
        self._thread.join(timeout=5)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def forget(self, app_id: int) -> None:
        """Remove the release phases of a destroyed app."""
        self._phase.sweep(lambda container: container.labels[LABEL_APP] == str(app_id))

    def _run(self) -> None:
        swept = 0.0
        while not self._stopping.is_set():
            try:
                for deployment_id, app_id in self._waiting():
                    self._take(deployment_id, app_id)
                if time.monotonic() - swept > RESYNC_SECONDS:
                    self._phase.sweep(self._is_over)
                    swept = time.monotonic()
            except Exception as error:  # the thread must outlive a database that is away
                log.error("release stage failed", exc_info=error)
            self._bell.wait(RESYNC_SECONDS)

    def _waiting(self) -> list[tuple[int, int]]:
        """The oldest deployment of each app that is for this stage."""
        with self._database.read() as session:
            rows = session.execute(
                select(Deployment.id, Deployment.app_id)
                .where(Deployment.status.in_(["built", "releasing"]))
                .order_by(Deployment.id)
            ).all()
        first: dict[int, int] = {}
        for deployment_id, app_id in rows:
            first.setdefault(app_id, deployment_id)
        return [(deployment_id, app_id) for app_id, deployment_id in first.items()]

    def _is_over(self, container: Container) -> bool:
        """Whether nobody waits for this release phase; one that was superseded may end first."""
        with self._database.read() as session:
            deployment = session.get(Deployment, int(container.labels[LABEL_DEPLOYMENT]))
            app = session.get(App, deployment.app_id) if deployment is not None else None
        if deployment is None or app is None or app.destroyed_at is not None:
            return True
        if deployment.status == "superseded":
            return container.state != "running"
        return deployment.status not in ("built", "releasing")

    def _take(self, deployment_id: int, app_id: int) -> None:
        """Carry a deployment on; only a release phase, which may be long, takes a thread."""
        if self._phases.get(app_id) == deployment_id:
            return
        try:
            self._get_image_back(deployment_id)
            row = self._prepare(deployment_id)
            if row is not None:
                self._phases[app_id] = deployment_id
                self._pool.submit(self._run_phase, *row)
        except Exception as error:  # tried again, then the deployment fails
            self._meet(deployment_id, error)

    def _run_phase(self, app: App, deployment: Deployment, release: Release) -> None:
        try:
            transcript = Transcript.of(self._settings, deployment.id)
            if self._phase.run(app, deployment, release, transcript):
                self._hand_over(deployment.id)
        except Exception as error:  # tried again, then the deployment fails
            self._meet(deployment.id, error)
        finally:
            self._phases.pop(app.id, None)
            if not self._stopping.is_set():
                self._phase.sweep(self._is_over)
            self._bell.ring(app.id)  # the app's next deployment, or this one again

    def _meet(self, deployment_id: int, error: Exception) -> None:
        """An error: the deployment failed, or it is tried again."""
        log.warning("release failed", deployment=deployment_id, exc_info=error)
        transient = isinstance(error, EngineError) and error.transient
        if isinstance(error, HytheError) and not transient:
            self._fail(deployment_id, error)
            return
        self._attempts[deployment_id] += not transient
        if self._attempts[deployment_id] >= ATTEMPTS:
            self._fail(deployment_id, PlatformError(f"The release broke inside Hythe: {error!r}"))
        else:
            self._stopping.wait(1)
            self._bell.ring(0)

    def _get_image_back(self, deployment_id: int) -> None:
        """Queue the deployment of an old release whose image is gone, to be built again."""
        with self._database.read() as session:
            deployment = session.get(Deployment, deployment_id)
            if deployment is None or deployment.status != "built" or not deployment.release_id:
                return
            release = session.get_one(Release, deployment.release_id)
        if self._engine.images.find(release.image) is not None:
            return
        if release.source_id is None:
            raise ImageMissing(f"The image of v{release.version} is gone, and it has no source.")
        with self._database.write() as tx:
            deployment = tx.get_one(Deployment, deployment_id)
            if deployment.status != "built":
                return
            text = f"The image of v{release.version} is gone; building it again"
            if self._waits_alone(tx, deployment):
                deployment.status, deployment.source_id = "queued", release.source_id
                Transcript.of(self._settings, deployment_id).step(text)
            tx.poke(deployment.app_id)

    def _waits_alone(self, tx: Write, deployment: Deployment) -> bool:
        """Whether it is the newest to wait for its build; older ones give up their place.

        One that is being fetched waits as well: it needs the place when it has its files.
        """
        waiting = select(Deployment).where(
            Deployment.app_id == deployment.app_id, Deployment.status.in_(["fetching", "queued"])
        )
        for other in tx.scalars(waiting).all():
            if other.id > deployment.id:
                self._supersede(tx, deployment, other)
                return False
            self._supersede(tx, other, deployment)
        return True

    def _supersede(self, tx: Write, older: Deployment, newer: Deployment) -> None:
        line = supersede(tx, [older], newer)
        Transcript.of(self._settings, older.id).warn(line)

    def _prepare(self, deployment_id: int) -> tuple[App, Deployment, Release] | None:
        """Make the release; returns what its release phase needs, None when it has none."""
        with self._database.write() as tx:
            deployment = tx.get(Deployment, deployment_id)
            if deployment is None or deployment.status not in ("built", "releasing"):
                return None
            app = tx.get_one(App, deployment.app_id)
            if app.destroyed_at:
                supersede(tx, [deployment], None)
                return None
            if deployment.release_id is None:
                build = tx.get_one(Build, deployment.build_id)
                release = releases.from_build(
                    tx, self._vault, self._settings, app, deployment, build
                )
                deployment.release_id = release.id
            else:
                release = tx.get_one(Release, deployment.release_id)
            if deployment.status == "built":
                runs = RELEASE_PROCESS in ReleaseSpec.of(release).processes
                runs = runs and not deployment.skip_release_phase
                if runs and app.id in self._phases:
                    return None  # until that of a superseded deployment has ended
                if deployment.kind != "restart":
                    Transcript.of(self._settings, deployment.id).step(
                        f"Releasing v{release.version}"
                    )
                if not runs:
                    self._roll(tx, deployment)
                    return None
                deployment.status = "releasing"
            return app, deployment, release

    def _hand_over(self, deployment_id: int) -> None:
        """The deployment is for run/ now."""
        with self._database.write() as tx:
            deployment = tx.get(Deployment, deployment_id)
            if deployment is not None and deployment.status in ("built", "releasing"):
                self._roll(tx, deployment)
        self._phase.clean(deployment_id)

    def _roll(self, tx: Write, deployment: Deployment) -> None:
        app = tx.get_one(App, deployment.app_id)
        earlier = select(Deployment).where(
            Deployment.app_id == app.id, Deployment.status == "rolling"
        )
        for other in tx.scalars(earlier).all():
            if other.id == app.serving_id:  # it has the traffic, so it has succeeded
                transcript = Transcript.of(self._settings, other.id)
                transcript.done("Deployed; a newer release follows at once")
                other.status, other.ended_at = "live", now()
            else:
                self._supersede(tx, other, deployment)
        tx.flush()  # frees the place of the one that rolls
        deployment.status = "rolling"
        tx.poke(app.id)

    def _fail(self, deployment_id: int, error: HytheError) -> None:
        with self._database.write() as tx:
            deployment = tx.get(Deployment, deployment_id)
            if deployment is not None and deployment.status in ("built", "releasing"):
                Transcript.of(self._settings, deployment_id).warn(f"{error.cause}\n{error.fix}")
                fail(tx, deployment, error)
        self._phase.clean(deployment_id)
