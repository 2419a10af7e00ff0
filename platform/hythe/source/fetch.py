"""What lies on other servers, on its way in: deployments go from fetching to queued.

That is a source's git URL, and the buildpacks that it is built with. A fetch may take long and may
be fed by anybody's server, so it is a child process with limits (see gitprocess.py), and writes to
a folder that is thrown away. A restart finds the row still fetching and begins again.
"""

import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from hythe import logs
from hythe.buildpackpin import BuildpackPin
from hythe.errors import HytheError, PlatformError
from hythe.model import App, Database, DeployKey, Deployment, Source, Vault, Write, fail, supersede
from hythe.settings import Settings
from hythe.source import buildpack, snapshot
from hythe.source.gitprocess import GivenUp, Limits
from hythe.source.giturl import GitUrl
from hythe.source.intake import Intake, Prepared, require_config
from hythe.source.remote import Access, Scratch
from hythe.source.repository import Repository
from hythe.source.submodules import Composer
from hythe.transcript import Transcript

PARALLEL = 2
RESYNC_SECONDS = 15
WANTED_SECONDS = 1.0
KNOWN_HOSTS = Path("ssh") / "known_hosts"  # in HYTHE_HOME

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """A deployment whose source is to be fetched."""

    app: App
    deployment: Deployment
    source: Source
    key: str | None  # the app's private SSH key
    logins: dict[str, bytes]  # of the app's buildpacks, by URL; sealed


class Fetcher:
    """Fetches in a few threads; the newest deployment of an app is the only one that fetches."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        vault: Vault,
        intake: Intake,
    ) -> None:
        self._settings = settings
        self._database = database
        self._vault = vault
        self._intake = intake
        self._bell = database.subscribe()
        self._stopping = threading.Event()
        self._taken: set[int] = set()  # deployments
        self._pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="fetch")
        self._thread = threading.Thread(target=self._run, name="fetcher", daemon=True)

    def start(self) -> None:
        known = self._settings.home / KNOWN_HOSTS
        known.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._thread.start()

    def stop(self) -> None:
        """End what is being fetched; the next start begins again."""
        self._stopping.set()
        self._bell.ring(0)
        if self._thread.is_alive():
            self._thread.join(5)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                for deployment_id in self._waiting():
                    self._taken.add(deployment_id)
                    self._pool.submit(self._take, deployment_id)
            except Exception as error:  # the thread must outlive a database that is away
                log.error("fetcher failed", exc_info=error)
            self._bell.wait(RESYNC_SECONDS)

    def _waiting(self) -> list[int]:
        with self._database.read() as session:
            wanted = select(Deployment.id).where(Deployment.status == "fetching")
            found = session.scalars(wanted.order_by(Deployment.id)).all()
        return [each for each in found if each not in self._taken]

    def _take(self, deployment_id: int) -> None:
        try:
            self._fetch(deployment_id)
        except GivenUp:
            log.info("fetch given up", deployment=deployment_id)
        except HytheError as error:
            self._fail(deployment_id, error)
        except Exception as error:  # whoever follows is told, whatever it was
            log.error("fetch broke", deployment=deployment_id, exc_info=error)
            self._fail(
                deployment_id, PlatformError(f"The fetch broke inside Hythe: {error!r}"[:300])
            )
        finally:
            self._taken.discard(deployment_id)

    def _fetch(self, deployment_id: int) -> None:
        task = self._task(deployment_id)
        if task is None:
            return
        app, source = task.app, task.source
        transcript = Transcript.of(self._settings, deployment_id)
        repository = self._intake.repository(app)
        root = snapshot.folder(self._settings, app.id)
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=snapshot.temporary(), dir=root) as made:
            if source.kind == "url":
                self._fetch_source(task, repository, Path(made), transcript)
            with self._intake.open(app.id):
                prepared = self._intake.prepared_again(app, repository, source)
            pins = self._pins(task, prepared)
            pins = [
                self._fetch_buildpack(task, repository, Path(made) / str(number), pin, transcript)
                for number, pin in enumerate(pins)
            ]
        source.buildpacks = [pin.as_json() for pin in pins] or None
        with self._intake.open(app.id):
            self._intake.lay_out(source)
            self._queue(task, prepared, transcript)

    def _fetch_source(
        self, task: Task, repository: Repository, folder: Path, transcript: Transcript
    ) -> None:
        source = task.source
        at = f" at {source.ref}" if source.ref else ""
        transcript.step(f"Fetching {source.location}{at}")
        url = GitUrl.parse(source.location or "", http=self._settings.git_http)
        login = self._vault.unseal(source.login) if source.login else None
        scratch = self._scratch(task, folder / "source", url, login, transcript.detail)
        source.commit = scratch.fetch(url, source.ref)
        source.message = source.message or scratch.subject(source.commit)
        source.tree = Composer(scratch, self._settings.upload_limit).compose(source.commit, url)
        scratch.hand_over(source.tree, repository)
        transcript.detail(f"{source.commit[:7]} {source.message}")

    def _pins(self, task: Task, prepared: Prepared) -> list[BuildpackPin]:
        """What is to be built with; a source that was here already had it settled at its start."""
        found = task.source.buildpacks
        if task.source.kind == "url":
            with self._database.read() as session:
                found = buildpack.pins(session, task.app.id, prepared.buildpacks)
        return [BuildpackPin.read(pin) for pin in found or ()]

    def _fetch_buildpack(
        self,
        task: Task,
        repository: Repository,
        folder: Path,
        pin: BuildpackPin,
        transcript: Transcript,
    ) -> BuildpackPin:
        if not pin.unfetched:
            return pin
        transcript.step(f"Fetching the buildpack {pin.text}")
        sealed = task.logins.get(pin.name)
        login = self._vault.unseal(sealed) if sealed else None
        fetch = buildpack.Fetch(repository, self._limits(task, folder), self._settings.git_http)
        if pin.kind == "git":
            url = GitUrl.parse(pin.name, http=self._settings.git_http)
            fetched = fetch.git(pin, self._scratch(task, folder, url, login, transcript.detail))
        else:
            fetched = fetch.archive(pin, login)
        transcript.detail(f"{'commit' if fetched.commit else 'files'} {fetched.pinned}")
        return fetched

    def _queue(self, task: Task, prepared: Prepared, transcript: Transcript) -> None:
        """Hand it to the build, unless it was superseded meanwhile."""
        assert prepared.about is not None and prepared.repository is not None
        for warning in prepared.warnings if task.source.kind == "url" else ():
            transcript.warn(warning)
        with self._database.write() as tx:
            deployment = _still_fetching(tx, task.deployment.id)
            if deployment is None:
                return
            require_config(tx, task.app, prepared.about)
            source = tx.merge(prepared.source)
            deployment.status = "queued"
            if source.kind == "url":
                deployment.description = f"Deploy {(source.commit or '')[:7]} of {source.location}"
            prepared.repository.hold(source.id, source.kept)
            prepared.repository.hold_buildpacks(source.trees[1:])
            tx.poke(task.app.id)
        self._intake.entered(prepared)

    def _task(self, deployment_id: int) -> Task | None:
        with self._database.write() as tx:
            deployment = _still_fetching(tx, deployment_id)
            if deployment is None:
                return None
            app = tx.get_one(App, deployment.app_id)
            source = tx.get_one(Source, deployment.source_id)
            key = tx.scalar(select(DeployKey).where(DeployKey.app_id == app.id))
            logins = {row.name: row.login for row in buildpack.rows(tx, app.id) if row.login}
        private = self._vault.unseal(key.private) if key else None
        return Task(app, deployment, source, private, logins)

    def _limits(self, task: Task, folder: Path) -> Limits:
        folder.mkdir(exist_ok=True)
        return Limits(
            folder,
            self._settings.upload_limit,
            self._settings.fetch_timeout,
            self._wanted(task.deployment.id),
        )

    def _scratch(
        self, task: Task, folder: Path, url: GitUrl, login: str | None, say: Callable[[str], None]
    ) -> Scratch:
        limits = self._limits(task, folder)
        key = None
        if task.key is not None:
            key = folder / "deploy-key"
            key.touch(mode=0o600)
            key.write_text(task.key)
        access = Access(self._settings.home / KNOWN_HOSTS, key, self._settings.git_http)
        return Scratch(limits, access, say, (url, login) if login else None)

    def _wanted(self, deployment_id: int) -> Callable[[], bool]:
        """Whether the fetch should go on; asks the database once a second."""
        asked, answer = 0.0, True

        def wanted() -> bool:
            nonlocal asked, answer
            if self._stopping.is_set():
                return False
            if time.monotonic() - asked > WANTED_SECONDS:
                asked = time.monotonic()
                with self._database.read() as session:
                    row = session.get(Deployment, deployment_id)
                    app = session.get(App, row.app_id) if row is not None else None
                answer = row is not None and row.status == "fetching"
                answer = answer and app is not None and app.destroyed_at is None
            return answer

        return wanted

    def _fail(self, deployment_id: int, error: HytheError) -> None:
        with self._database.write() as tx:
            deployment = _still_fetching(tx, deployment_id)
            if deployment is not None:
                Transcript.of(self._settings, deployment_id).warn(f"{error.cause}\n{error.fix}")
                fail(tx, deployment, error)


def _still_fetching(tx: Write, deployment_id: int) -> Deployment | None:
    """The deployment, if it is ours; it ends with its app."""
    deployment = tx.get(Deployment, deployment_id)
    if deployment is None or deployment.status != "fetching":
        return None
    app = tx.get(App, deployment.app_id)
    if app is None or app.destroyed_at is not None:
        supersede(tx, [deployment], None)
        return None
    return deployment
