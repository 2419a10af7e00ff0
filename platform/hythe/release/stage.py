"""The release stage: deployments go from built to rolling."""

import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from hythe import logs
from hythe.engine.port import Engine
from hythe.errors import EngineError, HytheError
from hythe.model import App, Build, Database, Deployment, Release, Vault, now
from hythe.names import Names
from hythe.release import release as releases
from hythe.release.phase import Complete, ReleasePhase
from hythe.settings import Settings
from hythe.spec import RELEASE_PROCESS, ReleaseSpec
from hythe.transcript import Transcript

RESYNC_SECONDS = 15
PARALLEL_PHASES = 4

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
        complete: Complete,
    ) -> None:
        self._settings = settings
        self._database = database
        self._vault = vault
        self._phase = ReleasePhase(settings, database, engine, names, vault, complete)
        self._bell = database.subscribe()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="release", daemon=True)
        self._pool = ThreadPoolExecutor(PARALLEL_PHASES, thread_name_prefix="release-phase")
        self._busy: set[int] = set()
        self._busy_lock = threading.Lock()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop taking deployments. A release phase that runs goes on in its container."""
        self._stopping.set()
        self._bell.ring(0)
        self._phase.leave()
        self._thread.join(timeout=5)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                for deployment_id, app_id in self._waiting():
                    self._take(deployment_id, app_id)
            except Exception as error:  # the thread must outlive a database that is away
                log.error("release stage failed", error=str(error))
            self._bell.wait(RESYNC_SECONDS)

    def _waiting(self) -> list[tuple[int, int]]:
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

    def _take(self, deployment_id: int, app_id: int) -> None:
        with self._busy_lock:
            if app_id in self._busy:
                return
            self._busy.add(app_id)
        self._pool.submit(self._carry, deployment_id, app_id)

    def _carry(self, deployment_id: int, app_id: int) -> None:
        try:
            self._advance(deployment_id)
        except EngineError as error:
            if error.transient:
                log.warning("engine away", app=app_id, deployment=deployment_id, cause=error.cause)
                self._stopping.wait(1)
            else:
                self._fail(deployment_id, error)
        except HytheError as error:
            self._fail(deployment_id, error)
        except Exception as error:
            log.error("release stage failed", deployment=deployment_id, error=repr(error))
            self._stopping.wait(1)
        finally:
            with self._busy_lock:
                self._busy.discard(app_id)
            if not self._stopping.is_set():
                self._bell.ring(app_id)

    def _advance(self, deployment_id: int) -> None:
        """Make the release row, run the release phase, hand over to run/."""
        row = self._prepare(deployment_id)
        if row is None:
            return
        app, deployment, release = row
        transcript = Transcript.of(self._settings, deployment_id)
        if deployment.status == "releasing" and not self._phase.run(
            app, deployment, release, transcript
        ):
            return  # the control plane stops; the next one finds the container
        self._hand_over(deployment_id)

    def _prepare(self, deployment_id: int) -> tuple[App, Deployment, Release] | None:
        with self._database.write() as tx:
            deployment = tx.get(Deployment, deployment_id)
            if deployment is None or deployment.status not in ("built", "releasing"):
                return None
            app = tx.get_one(App, deployment.app_id)
            if app.destroyed_at:
                deployment.status, deployment.ended_at = "superseded", now()
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
                if deployment.kind != "restart":
                    Transcript.of(self._settings, deployment.id).step(
                        f"Releasing v{release.version}"
                    )
                runs = RELEASE_PROCESS in ReleaseSpec.of(release).processes
                if runs and not deployment.skip_release_phase:
                    deployment.status = "releasing"
            return app, deployment, release

    def _hand_over(self, deployment_id: int) -> None:
        with self._database.write() as tx:
            deployment = tx.get_one(Deployment, deployment_id)
            earlier = tx.scalars(
                select(Deployment).where(
                    Deployment.app_id == deployment.app_id, Deployment.status == "rolling"
                )
            ).all()
            for other in earlier:
                Transcript.of(self._settings, other.id).warn("A newer release takes over.")
                other.status, other.ended_at = "superseded", now()
            tx.flush()
            deployment.status, deployment.rolling_at = "rolling", now()
            tx.poke(deployment.app_id)
        self._phase.clean(deployment_id)

    def _fail(self, deployment_id: int, error: HytheError) -> None:
        transcript = Transcript.of(self._settings, deployment_id)
        transcript.warn(f"{error.cause}\n{error.fix}")
        with self._database.write() as tx:
            deployment = tx.get_one(Deployment, deployment_id)
            deployment.status, deployment.ended_at = "failed", now()
            deployment.error_code = error.code
            deployment.error_cause, deployment.error_fix = error.cause, error.fix
            tx.note(
                "deploy.failed",
                error.cause,
                app_id=deployment.app_id,
                deployment=deployment_id,
                code=error.code,
            )
            tx.poke(deployment.app_id)
        self._phase.clean(deployment_id)
