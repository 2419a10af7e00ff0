"""The intake: every source passes here on its way to rows, whatever brought it.

A source is prepared outside of any transaction (its files laid out, its app.json read), and entered
inside of one, so that a manifest can change an app and deploy it in one step.
"""

import os
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from hythe import logs, procfile
from hythe.appjson import LARGEST, AppJson
from hythe.buildpackpin import BuildpackPin
from hythe.errors import (
    AppJsonError,
    GitFailed,
    GitSourceMissing,
    LfsUnsupported,
    NotFound,
    ProcfileError,
)
from hythe.imagename import ImageName
from hythe.model import ENDED, App, ConfigVar, Database, Deployment, Source, Vault, Write
from hythe.settings import Settings
from hythe.source import buildpack, snapshot, tarball
from hythe.source.giturl import GitUrl, ref_name
from hythe.source.repository import BUILDPACKS, Repository
from hythe.source.submit import submit

KEPT_SNAPSHOTS = 3  # of an app, besides those of deployments under way

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a request sends along with a source; it replaces the files of the same name."""

    procfile: str | None = None
    app_json: str | None = None
    message: str | None = None

    def check(self) -> None:
        """Raise ProcfileError or AppJsonError for what cannot be used."""
        if self.procfile is not None:
            if len(self.procfile.encode()) > procfile.LARGEST:
                raise ProcfileError(f"The Procfile is over {procfile.LARGEST // 1024} KiB.")
            if not procfile.parse(self.procfile):
                raise ProcfileError("The Procfile declares nothing.")
        if self.app_json is not None:
            AppJson.read(self.app_json)


@dataclass(slots=True)
class Prepared:
    """A source that is ready to be entered."""

    source: Source
    kind: str  # DeploymentKind
    about: AppJson | None = None  # None: not known before it is fetched
    warnings: list[str] = field(default_factory=list)
    repository: Repository | None = None  # that has the source's objects
    buildpacks: list[BuildpackPin] = field(default_factory=list)  # that its files name


class Intake:
    """Prepares and enters sources; safe between threads, and between control planes."""

    def __init__(self, settings: Settings, database: Database, vault: Vault) -> None:
        self._settings = settings
        self._database = database
        self._vault = vault

    @contextmanager
    def open(self, app_id: int | None) -> Iterator[None]:
        """Keep snapshots from being pruned between their preparation and their rows' commit.

        app_id: None for an app that is about to be made; it has no snapshots. Do not nest it.
        """
        if app_id is None:
            yield
            return
        with snapshot.locked(self._settings, app_id):
            yield

    def image(self, name: str, sent: Sent, actor: str) -> Prepared:
        """An image of a registry. Raises InvalidValue for a name that is none."""
        sent.check()
        source = Source(kind="image", location=ImageName.parse(name).reference, created_by=actor)
        self._send_along(source, sent)
        about = AppJson.read(sent.app_json) if sent.app_json else AppJson()
        return Prepared(source, "image", about, list(about.warnings()))

    def url(self, text: str, ref: str | None, sent: Sent, actor: str) -> Prepared:
        """A git URL, to be fetched. Raises BadGitUrl."""
        sent.check()
        url = GitUrl.parse(text, http=self._settings.git_http)
        source = Source(
            kind="url",
            location=url.text,
            login=self._vault.seal(url.login) if url.login else None,
            ref=ref_name(ref) if ref else None,
            created_by=actor,
        )
        self._send_along(source, sent)
        return Prepared(source, "git")

    def commit(self, app: App, commit: str, sent: Sent, actor: str) -> Prepared:
        """A commit that was pushed before. Raises GitSourceMissing; within `open`."""
        sent.check()
        repository = self.repository(app)
        try:
            oid = repository.git(
                "rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}"
            ).strip()
        except GitFailed:
            raise GitSourceMissing(
                f"{app.name}'s repository has no commit {commit[:40]}.",
                "Push it first, or deploy the repository's URL: `hythe deploy --git URL`.",
            ) from None
        found = repository.commit(oid)
        source = Source(
            kind="git", tree=found.tree, commit=oid, message=found.subject, created_by=actor
        )
        self._send_along(source, sent)
        return self.files(app, repository, source, "commit", sent)

    def files(
        self,
        app: App,
        repository: Repository,
        source: Source,
        kind: str,
        sent: Sent | None = None,
    ) -> Prepared:
        """A source whose tree is in the app's repository: lay it out, read its app.json.

        Within `open`. Raises a SourceError.
        """
        sent = sent or Sent()
        found = snapshot.survey(repository, source.tree, self._settings.upload_limit)
        files = snapshot.lay_out(repository, found, snapshot.folder(self._settings, app.id))
        source.path = os.fspath(files.relative_to(self._settings.home))
        if source.kind == "url" and (pointers := snapshot.lfs_pointers(found, files)):
            raise LfsUnsupported(
                f"Git LFS is not supported, and keeps these elsewhere: {pointers}."
            )
        text = sent.app_json if sent.app_json is not None else read_app_json(files)
        about = AppJson.read(text) if text is not None else AppJson()
        if text is not None:
            source.app_json = self._vault.seal(text)
        warnings = [*snapshot.warnings(found, files), *about.warnings()]
        named = buildpack.named(files, about, http=self._settings.git_http)
        return Prepared(source, kind, about, warnings, repository, named)

    def prepared_again(self, app: App, repository: Repository, source: Source) -> Prepared:
        """A source whose row is there and whose tree is in the repository; within `open`."""
        return self.files(app, repository, source, "git", self.sent(source))

    def lay_out(self, source: Source) -> None:
        """Make the folders of a source and its buildpacks that are not there; within `open`."""
        repository = Repository(self._settings, source.app_id)
        root = snapshot.folder(self._settings, source.app_id)
        for tree in source.trees:
            found = snapshot.survey(repository, tree, self._settings.upload_limit)
            snapshot.lay_out(repository, found, root)

    def keep_buildpack(self, app: App, stream: Iterable[bytes]) -> str:
        """Store a buildpack that was sent as a tar or tar.gz; returns its tree.

        Raises TooLarge or BadArchive.
        """
        repository = self.repository(app)
        root = snapshot.folder(self._settings, app.id)
        root.mkdir(parents=True, exist_ok=True)
        limit = self._settings.upload_limit
        with tempfile.TemporaryDirectory(prefix=snapshot.temporary(), dir=root) as made:
            tree = tarball.take(repository, Path(made), stream, limit, tarball.inner)
        repository.hold_buildpacks([tree])
        return tree

    def enter(self, tx: Write, app: App, prepared: Prepared) -> Deployment:
        """Insert the rows; raises MissingConfig or NotFound. Call `entered` after the commit."""
        source = prepared.source
        source.app_id = app.id
        if prepared.about is not None:
            require_config(tx, app, prepared.about)
        if prepared.repository is not None:
            source.buildpacks = buildpack.pins(tx, app.id, prepared.buildpacks)
        deployment = submit(self._settings, tx, source, prepared.kind, prepared.warnings)
        if prepared.repository is not None:
            prepared.repository.hold(source.id, source.kept)
        return deployment

    def entered(self, prepared: Prepared) -> None:
        source = prepared.source
        if prepared.repository is not None:
            threading.Thread(target=self.prune, args=(source.app_id,), daemon=True).start()
        log.info("source taken in", app=source.app_id, source=source.id, kind=source.kind)

    def take(self, app: App, prepared: Prepared) -> Deployment:
        """Enter a source in a transaction of its own; within `open`."""
        with self._database.write() as tx:
            deployment = self.enter(tx, app, prepared)
        self.entered(prepared)
        return deployment

    def sent(self, source: Source) -> Sent:
        """What came along with a source."""
        text = self._vault.unseal(source.app_json) if source.app_json else None
        return Sent(source.procfile, text)

    def repository(self, app: App) -> Repository:
        """The app's repository, ready for git."""
        repository = Repository(self._settings, app.id)
        repository.ensure(app.deploy_branch)
        return repository

    def prune(self, app_id: int) -> None:
        """Keep the snapshots of deployments under way and the newest few, and needed buildpacks."""
        sources = select(Source).where(Source.app_id == app_id)
        with self.open(app_id), self._database.read() as session:
            newest = session.scalars(sources.order_by(Source.id.desc()).limit(KEPT_SNAPSHOTS)).all()
            needed = session.scalars(
                sources.join(Deployment, Deployment.source_id == Source.id).where(
                    Deployment.status.not_in(ENDED)
                )
            ).all()
            root = snapshot.folder(self._settings, app_id)
            if not root.exists():  # the app was destroyed meanwhile
                return
            kept = {tree for source in (*newest, *needed) for tree in source.trees}
            retired = snapshot.retire(root, kept)
        shutil.rmtree(retired, ignore_errors=True)
        repository = Repository(self._settings, app_id)
        if not repository.refs(BUILDPACKS):  # most have none: do not hold up who writes
            return
        with self._database.write() as tx:
            app = tx.get(App, app_id)
            if app is not None and app.destroyed_at is None:
                buildpack.forget(tx, repository)

    def _send_along(self, source: Source, sent: Sent) -> None:
        source.procfile = sent.procfile
        source.message = source.message or sent.message
        if sent.app_json is not None:
            source.app_json = self._vault.seal(sent.app_json)


def read_app_json(files: Path) -> str | None:
    """The app.json of laid out files; its links stay inside of them."""
    file = files / "app.json"
    if not file.is_file():
        return None
    with file.open("rb") as opened:
        data = opened.read(LARGEST + 1)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        if len(data) > LARGEST:  # cut within a character; its size is the error
            return data.decode(errors="replace")
        raise AppJsonError("app.json is not UTF-8.", "Save it as UTF-8.") from None


def require_config(tx: Write, app: App, about: AppJson) -> None:
    """Raise MissingConfig unless the app has what its app.json requires."""
    keys = tx.scalars(select(ConfigVar.key).where(ConfigVar.app_id == app.id)).all()
    about.require(keys, app.name)


def open_app(database: Database, app_id: int) -> App:
    """The app's row; raises NotFound when it is gone or on its way out."""
    with database.read() as session:
        app = session.get(App, app_id)
    if app is None or app.destroyed_at:
        raise NotFound("There is no such app any more.")
    return app
