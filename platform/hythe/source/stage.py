"""The source stage: takes in pushes and uploads, and follows them to their end for the pusher."""

import shutil
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import select

from hythe import logs
from hythe.errors import HytheError, PlatformError
from hythe.model import App, Database, Deployment, Source, Vault
from hythe.settings import Settings
from hythe.source import snapshot, tarball
from hythe.source.fetch import Fetcher
from hythe.source.heir import last_heir
from hythe.source.intake import Intake, Sent, open_app
from hythe.source.listener import Command, Listener, Push, Say
from hythe.source.refill import Refill
from hythe.source.repository import Repository, require_git
from hythe.source.settle import Settler
from hythe.source.stale import require_current
from hythe.source.verdict import verdict
from hythe.transcript import Transcript

log = logs.get(__name__)


class SourceStage:
    """Everything that turns pushed or uploaded code into a queued deployment."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        vault: Vault,
        fenced: Database | None = None,
    ) -> None:
        """fenced: the database for what only the leading control plane does."""
        ours = fenced or database
        self._settings = settings
        self._database = database
        self._settler = Settler(settings, ours)
        self._refill = Refill(settings, ours, self._lay_out)
        self.intake = Intake(settings, database, vault)
        self._fetcher = Fetcher(settings, ours, vault, self.intake)
        self._listener: Listener | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        require_git()
        snapshot.sweep(self._settings)
        self._restore()
        self._settler.start()
        self._refill.start()
        self._fetcher.start()
        self._listener = Listener(self._settings.source_socket, self.push)
        self._listener.start()

    def stop(self) -> None:
        """Let go of the pushers; what they pushed goes on at the next start."""
        self._stopping.set()
        if self._listener:
            self._listener.stop()
        self._fetcher.stop()
        self._refill.stop()
        self._settler.stop()

    def push(self, push: Push, say: Say) -> dict[str, str | None] | None:
        """Deploy what a push brings to the deploy branch, and follow it to its end.

        Returns for each ref why it is rejected, or None when it is not; None for all when Hythe
        stops before the end.
        """
        app = open_app(self._database, push.app_id)
        results = {command.ref: _refusal(app, command) for command in push.commands}
        refused = [command for command in push.commands if results[command.ref]]
        if refused:
            say(
                f" !     hythe deploys {app.deploy_branch}; push it with: "
                f"git push hythe HEAD:{app.deploy_branch}"
            )
        if push.atomic and refused:
            return {ref: why or "refused with the others" for ref, why in results.items()}
        for command in push.commands:
            if not results[command.ref]:
                try:
                    deployment = self._take_push(app, command, push)
                except HytheError as error:
                    say(f" !     {error.cause}")
                    say(f" !     {error.fix}")
                    results[command.ref] = "not taken in, nothing changed"
                    continue
                if not self._follow(deployment, say):
                    return None
                results[command.ref] = self._end(deployment)
        return results

    def upload(
        self, app_id: int, stream: Iterable[bytes], actor: str, sent: Sent | None = None
    ) -> Deployment:
        """Queue a deployment of a tarball's files.

        Raises TooLarge, a SourceError or NotFound; nothing is kept then.
        """
        sent = sent or Sent()
        sent.check()
        app = open_app(self._database, app_id)
        repository = self.repository(app)
        limit = self._settings.upload_limit
        root = snapshot.folder(self._settings, app_id)
        root.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(prefix=snapshot.temporary(), dir=root) as made:
                tree = tarball.take(repository, Path(made), stream, limit)
        except OSError as error:
            raise PlatformError(
                f"The upload cannot be stored: {error.strerror}.", "Free some space in HYTHE_HOME."
            ) from None
        source = Source(kind="tarball", tree=tree, message=sent.message, created_by=actor)
        source.procfile = sent.procfile
        with self.intake.open(app_id):
            prepared = self.intake.files(app, repository, source, "upload", sent)
            return self.intake.take(app, prepared)

    def repository(self, app: App) -> Repository:
        """The app's repository, ready for git."""
        return self.intake.repository(app)

    def _take_push(self, app: App, command: Command, push: Push) -> Deployment:
        repository = Repository(self._settings, app.id)
        commit = repository.commit(command.new)
        source = Source(
            kind="git",
            tree=commit.tree,
            commit=commit.id,
            ref=command.ref,
            previous=command.seen,
            message=commit.subject,
            created_by=push.actor,
        )
        with self.intake.open(app.id):
            if not push.force:
                with self._database.read() as session:
                    require_current(session, repository, source)
            return self.intake.take(app, self.intake.files(app, repository, source, "push"))

    def _follow(self, deployment: Deployment, say: Say) -> bool:
        """Say the transcript's lines as they come, then those of the heir that took over.

        Returns False when Hythe stops before the end.
        """
        current = deployment.id
        while (last := self._say_all(current, say)) is not None and last.id != current:
            current = last.id
        return last is None or last.ended

    def _say_all(self, deployment_id: int, say: Say) -> Deployment | None:
        """Say one transcript; returns its last heir, or None when the app is gone."""
        last: Deployment | None = None

        def finished() -> bool:
            nonlocal last
            with self._database.read() as session:
                row = session.get(Deployment, deployment_id)
                last = last_heir(session, row) if row is not None else None
            over = last is None or last.ended or last.id != deployment_id
            return over or self._stopping.is_set()

        for line in Transcript.of(self._settings, deployment_id).follow(finished):
            say(line)
        return last

    def _end(self, deployment: Deployment) -> str | None:
        """Why the push is rejected; when it is not, the branch has been moved."""
        with self._database.read() as session:
            why = verdict(session, deployment.id)
        try:
            self._settler.settle(deployment.app_id)
        except HytheError as error:
            log.error("settling failed", app=deployment.app_id, error=str(error))
            return why or "deployed, but the branch could not be moved"
        return why

    def _restore(self) -> None:
        """Lay the sources of deployments under way out anew: a power cut may have emptied files."""
        under_way = (
            select(Source)
            .join(Deployment, Deployment.source_id == Source.id)
            .where(Deployment.status.in_(["queued", "building"]), Source.kind != "image")
        )
        with self._database.read() as session:
            sources = session.scalars(under_way).all()
        for source in sources:
            root = snapshot.folder(self._settings, source.app_id)
            for tree in source.trees:
                shutil.rmtree(root / tree, ignore_errors=True)
            try:
                self._lay_out(source)
            except (HytheError, OSError) as error:
                log.error("source not restored", app=source.app_id, error=str(error))

    def _lay_out(self, source: Source) -> None:
        """Make the folder of a source that was taken in before, if it is not there."""
        with snapshot.locked(self._settings, source.app_id):
            self.intake.lay_out(source)


def _refusal(app: App, command: Command) -> str | None:
    if command.ref != f"refs/heads/{app.deploy_branch}":
        return f"only {app.deploy_branch} deploys"
    return "the deploy branch cannot be deleted" if command.deletes else None
