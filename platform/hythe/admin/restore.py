"""hythe restore FILE: an installation from a backup, in an empty HYTHE_HOME, on any machine."""

import glob
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, inspect, select, text, update
from sqlalchemy.orm import Session

import hythe
from hythe import homefile
from hythe.admin import archive, images, rows
from hythe.admin.backup import FORMAT
from hythe.errors import BadBackup, BuildInterrupted, GitFailed, NotEmpty
from hythe.model import ENDED, App, Build, Deployment, Installation, Source, now, schema
from hythe.model.connect import connect, shown
from hythe.model.home import guard
from hythe.model.identity import Record
from hythe.model.person import SetupCode, UserSession
from hythe.model.trouble import explained
from hythe.names import Names
from hythe.settings import Settings
from hythe.source.repository import Repository

Say = Callable[[str], None]


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself."""

    version: str
    revision: str
    made_at: str
    counts: dict[str, int]
    highest_ids: dict[str, int]
    settings: dict[str, Any]

    @classmethod
    def read(cls, path: Path, raw: bytes) -> "Manifest":
        """Raises BadBackup when this code cannot use it."""
        try:
            document = json.loads(raw)
            kind = document["format"]
            found = cls(**{name: document[name] for name in cls.__dataclass_fields__})
        except (ValueError, KeyError, TypeError) as error:
            raise BadBackup(f"{path} is not a backup: {error!r}.") from None
        if kind != FORMAT or found.revision not in schema.revisions():
            raise BadBackup(
                f"{path} was made by Hythe {found.version} (format {kind}, revision "
                f"{found.revision}); this is {hythe.__version__}, up to revision {schema.head()}.",
                f"Restore it with Hythe {found.version} or a newer one.",
            )
        return found


def restore(settings: Settings, path: Path, say: Say) -> None:
    """Make the installation whole, or nothing; raises BadBackup, NotEmpty."""
    _clear_drafts(settings.home)
    _require_empty(settings)
    draft = settings.home.with_name(f".{settings.home.name}.{os.getpid()}.restoring")
    draft.mkdir(mode=0o700, parents=True)
    try:
        say(f"Checking {path}")
        manifest = _unpack(path, draft)
        there = replace(settings, home=draft)
        guard(there)
        say(f"Loading {sum(manifest.counts.values())} rows of {manifest.made_at}")
        with schema.changing(there.database) as connection:
            _load(connection, manifest, draft / "rows")
            _bring_code(there, connection, draft / "repositories", say)
            names = Names(_record(there, connection, settings.database))
            built = images.of_builds(connection)
        if not settings.database_url:
            _in_one_file(there.database)
        else:
            homefile.keep(draft, {"HYTHE_DATABASE_URL": settings.database_url})
        shutil.rmtree(draft / "rows", ignore_errors=True)
        (draft / "hello-deployed").touch()  # this is not a first start
        if settings.home.exists():
            settings.home.rmdir()
        draft.rename(settings.home)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    here = images.name(names, built)
    _explain(settings, manifest, say)
    say(f"{here} of {len(built)} images are on this machine; apps without theirs are built again,")
    say("`hythe builds -a APP` shows how far that is, and `hythe apps` which they are.")


def _require_empty(settings: Settings) -> None:
    if settings.home.exists() and any(settings.home.iterdir()):
        raise NotEmpty(f"{settings.home} is not empty.")
    if settings.database_url:
        engine = connect(settings.database_url)
        with explained(), engine.connect() as connection:
            there = inspect(connection).get_table_names()
        engine.dispose()
        if there:
            raise NotEmpty(
                f"The database at HYTHE_DATABASE_URL has tables already, such as {there[0]}.",
                "Make an empty database for this installation, or drop these tables.",
            )


def _clear_drafts(home: Path) -> None:
    """Remove what restores left that were killed."""
    for draft in home.parent.glob(f".{glob.escape(home.name)}.*.restoring"):
        if not Path(f"/proc/{draft.suffixes[-2].removeprefix('.')}").exists():
            shutil.rmtree(draft, ignore_errors=True)


def _unpack(path: Path, draft: Path) -> Manifest:
    """Write all parts below draft, and check them to the last one."""
    manifest: Manifest | None = None
    for name, content in archive.parts(path):
        if manifest is None:
            if name != archive.MANIFEST:
                raise BadBackup(f"{path} is not a backup: it does not begin with a manifest.")
            manifest = Manifest.read(path, content.read())
            continue
        target = draft / name
        target.parent.mkdir(exist_ok=True, mode=0o700)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            shutil.copyfileobj(content, file)
            file.flush()
            os.fsync(file.fileno())
    if manifest is None or not (draft / "key").exists():
        raise BadBackup(f"{path} is not a backup: its key is missing.")
    return manifest


def _load(connection: Connection, manifest: Manifest, folder: Path) -> None:
    """The rows at the revision of the backup, then migrated, then freed from the old machine.

    All in one transaction, so that a restore that is killed leaves an empty database empty.
    """
    if connection.dialect.name == "postgresql":  # it is silent while git unpacks
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    schema.upgrade(connection, manifest.revision)
    counts = rows.load(connection, {p.stem: _lines(p) for p in folder.glob("*.jsonl")})
    wrong = [name for name, n in manifest.counts.items() if counts.get(name) != n]
    if wrong:
        raise BadBackup(f"The backup lacks rows of {wrong[0]}.")
    rows.continue_ids(connection, manifest.highest_ids)
    schema.upgrade(connection)
    _settle_here(connection)


def _in_one_file(url: str) -> None:
    """Bring SQLite's write-ahead log into the database, which is about to move."""
    engine = connect(url)
    with engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    engine.dispose()


def _record(settings: Settings, connection: Connection, final: str) -> str:
    """Say in the home where its database is, so that no start takes another one for it.

    Returns the installation's id.
    """
    with Session(connection) as session:
        row = session.scalars(select(Installation)).one()
        Record(row.id, row.moves, shown(final)).save(settings)
        return row.id


def _lines(path: Path) -> Iterator[str]:
    with path.open() as file:
        yield from file


def _settle_here(connection: Connection) -> None:
    """Another history begins: a name and an epoch of its own, nobody signed in, nothing under way.

    The name is new, so that this installation and the one of which it is a copy never take each
    other's containers for their own, on whichever machine.
    """
    name = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(6))
    connection.execute(update(Installation).values(id=name, epoch=Installation.epoch + 1))
    connection.execute(delete(UserSession))  # or each would let people into the other one
    connection.execute(delete(SetupCode))
    connection.execute(update(App).values(subnet=None))
    connection.execute(
        update(Deployment)
        .where(Deployment.status.not_in(ENDED))
        .values(
            status="failed",
            ended_at=now(),
            error_code=BuildInterrupted.code,
            error_cause="It was under way when the backup was made.",
            error_fix=BuildInterrupted.default_fix,
        )
    )
    connection.execute(
        update(Build)
        .where(Build.status.in_(["queued", "running"]))
        .values(status="failed", ended_at=now())
    )


def _bring_code(settings: Settings, connection: Connection, bundles: Path, say: Say) -> None:
    """Make a repository of each bundle; the branch is where the last live push left it."""
    found = sorted(bundles.glob("*.bundle")) if bundles.exists() else []
    newest = (
        select(Source)
        .join(Deployment, Deployment.source_id == Source.id)
        .where(Deployment.status == "live", Source.commit.is_not(None))
        .order_by(Deployment.id)
    )
    with Session(connection) as session:
        apps = {app.id: app for app in session.scalars(select(App))}
        live = {source.app_id: source for source in session.scalars(newest)}
        session.expunge_all()
    for number, bundle in enumerate(found, 1):
        app = apps.get(int(bundle.stem))
        if app is not None:
            say(f"Unpacking repository {number} of {len(found)}")
            try:
                _unbundle(Repository(settings, app.id), bundle, app, live.get(app.id))
            except GitFailed as error:
                raise BadBackup(f"git rejects the code of {app.name}: {error.cause}") from None
        bundle.unlink()


def _unbundle(repository: Repository, bundle: Path, app: App, last: Source | None) -> None:
    repository.ensure(app.deploy_branch)
    listed = repository.git("bundle", "unbundle", str(bundle))
    refs: dict[str, str | None] = {}
    for line in listed.splitlines():
        oid, _, ref = line.partition(" ")
        if ref.startswith(("refs/heads/", "refs/hythe/v")):
            refs[ref] = oid
    if last is not None and last.ref in refs:
        refs[last.ref] = last.commit
    repository.move(refs)


def _explain(settings: Settings, manifest: Manifest, say: Say) -> None:
    say(f"Restored {manifest.counts['apps']} apps into {settings.home}.")
    mine = settings.to_json()
    for name, value in manifest.settings.items():
        if mine.get(name) != value:
            say(f"It ran with HYTHE_{name.upper()}={value}; here that is {mine.get(name)}.")
            say(f"To have that here too: HYTHE_{name.upper()}={value} bin/up")
    say("Start it with `bin/up`.")
