"""Manifests: make an app match a document."""

import secrets
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from hythe import names
from hythe.api.auth import CurrentActor, needs
from hythe.api.context import Context, CurrentContext
from hythe.api.v1 import buildpacks, domains
from hythe.api.v1.apps import create, implied_host
from hythe.api.v1.deployments import DeploymentAnswer, describe
from hythe.api.v1.formation import resize
from hythe.api.v1.shapes import Answer
from hythe.appjson import SECRET_BYTES, AppJson
from hythe.errors import InvalidValue, NameTaken
from hythe.imagename import ImageName
from hythe.manifest import (
    Change,
    Manifest,
    ManifestCommit,
    ManifestGit,
    ManifestImage,
    Now,
    difference,
)
from hythe.model import ENDED, App, ConfigVar, Deployment, Domain, Formation, Release, Source, Write
from hythe.release.changes import current_release
from hythe.source.buildpack import rows
from hythe.source.giturl import GitUrl
from hythe.source.intake import Prepared, Sent
from hythe.suite import KEY
from hythe.wire import place_of

router = APIRouter(prefix="/apps/{app}/manifest", tags=["manifest"])


class ManifestChange(Answer):
    path: str = Field(examples=["formation.web"])
    before: str | None = Field(description="What it is; config values are masked.")
    after: str | None = Field(description="What it will be; null is a removal.")


class ManifestAnswer(Answer):
    app: str
    dry_run: bool
    changes: list[ManifestChange] = Field(description="Empty when the app matches already.")
    warnings: list[str] = Field(description="What the document has and Hythe left out.")
    deployment: DeploymentAnswer | None = Field(description="Null when nothing needs one.")


@router.put(
    "",
    summary="Make an app match a document",
    description="The app is created when it is missing. Sections that the document has are "
    "complete, others are left alone.",
    dependencies=[needs("manage")],
)
def apply_manifest(
    app: str,
    document: Annotated[dict[str, Any], Body()],
    context: CurrentContext,
    actor: CurrentActor,
    dry_run: Annotated[bool, Query(description="Only show the difference.")] = False,
) -> ManifestAnswer:
    manifest = Manifest.check_document(document)
    if manifest.name and manifest.name != app:
        raise InvalidValue(
            f"The manifest is about '{manifest.name[:60]}', not '{app[:60]}'.",
            f"Apply it to that app: `hythe apply FILE -a {manifest.name[:60]}`.",
        )
    names.app_name(app)
    if dry_run:
        with context.database.read() as session:
            changes = _Matching(context, session, app, manifest).changes
        return _answer(app, manifest, changes, None, dry_run=True)
    return _apply(context, app, manifest, actor.name)


def _apply(context: Context, name: str, manifest: Manifest, actor: str) -> ManifestAnswer:
    intake = context.source.intake
    with context.database.read() as session:
        row = session.scalar(select(App).where(App.name == name))
    with intake.open(row.id if row else None):
        prepared = _prepare(context, row, name, manifest, actor)
        with context.database.write() as tx:
            matching = _Matching(context, tx, name, manifest)
            changes = matching.changes
            app = matching.app or create(tx, name, actor)
            deployment = matching.carry_out(tx, app, prepared, actor) if changes else None
            described = describe(tx, deployment) if deployment else None
        if prepared is not None and prepared.source.id is not None:
            intake.entered(prepared)
    return _answer(name, manifest, changes, described, dry_run=False)


def _prepare(
    context: Context, app: App | None, name: str, manifest: Manifest, actor: str
) -> Prepared | None:
    """The manifest's source, ready to be entered."""
    intake = context.source.intake
    sent = Sent(manifest.procfile_text(), manifest.app_json_text())
    match manifest.source:
        case ManifestImage(image=image):
            return intake.image(image, sent, actor)
        case ManifestGit(url=url, ref=ref):
            return intake.url(url, ref, sent, actor)
        case ManifestCommit(commit=commit):
            if app is None:
                raise InvalidValue(
                    f"{name} has no repository yet, so no commit.", "Push to it first."
                )
            return intake.commit(app, commit, sent, actor)
    return None


class _Matching:
    """One manifest against one app, in one transaction."""

    def __init__(self, context: Context, session: Session, name: str, manifest: Manifest) -> None:
        self._context = context
        self._session = session
        self._manifest = manifest
        self.app = session.scalar(select(App).where(App.name == name))
        if self.app is not None and self.app.destroyed_at is not None:
            raise NameTaken(f"'{name}' is still being destroyed.", "Try again in a few seconds.")
        self._now = self._read() if self.app else Now()
        manifest.require(self._now.env, name)
        source, login = self._wanted_source()
        self._buildpacks = buildpacks.wanted(context, [one.url for one in manifest.buildpacks])
        wanted = [(each.pin.text, each.login) for each in self._buildpacks]
        host = implied_host(context.settings, App(name=name))
        self.changes = difference(manifest, name, self._now, source, login, host, wanted)

    def carry_out(
        self, tx: Write, app: App, prepared: Prepared | None, actor: str
    ) -> Deployment | None:
        """Make the changes; returns the deployment that they need, if they need one."""
        set_, unset = self._config()
        build = any(
            change.path.startswith(
                ("source", "processes", "healthchecks", "settings", "buildpacks", "stack")
            )
            for change in self.changes
        )
        quantities = {
            change.path.removeprefix("formation."): int(change.after or 0)
            for change in self.changes
            if change.path.startswith("formation.")
        }
        if quantities:
            resize(tx, self._context.settings, app, quantities, actor)
        self._change_domains(tx, app, actor)
        if any(change.path.startswith("buildpacks.") for change in self.changes):
            buildpacks.replace_all(tx, self._context, app, self._buildpacks, actor)
        changes = self._context.changes
        if build and prepared is not None:
            if set_ or unset:
                changes.store(tx, app, set_, unset, False, actor)
            return self._context.source.intake.enter(tx, app, prepared)
        if set_ or unset:
            return changes.config(tx, app, set_, unset, False, actor)
        return None

    def _config(self) -> tuple[dict[str, str], list[str]]:
        set_: dict[str, str] = {}
        unset: list[str] = []
        for change in self.changes:
            if change.path == "stack" and change.after is not None:
                set_[KEY] = change.after
            if not change.path.startswith("env."):
                continue
            key = change.path.removeprefix("env.")
            if change.after is None:
                unset.append(key)
            else:
                value = self._manifest.env[key].value
                set_[key] = secrets.token_hex(SECRET_BYTES) if value is None else value
        return set_, unset

    def _change_domains(self, tx: Write, app: App, actor: str) -> None:
        for change in self.changes:
            if change.path.startswith("domains."):
                if change.after is not None:
                    self._add_domain(tx, app, change.after, actor)
                elif change.before is not None:
                    domains.remove(tx, app, change.before, actor)

    def _add_domain(self, tx: Write, app: App, value: str, actor: str) -> None:
        host, path = place_of(value)
        domains.add(tx, self._context, app, host, path, actor)

    def _wanted_source(self) -> tuple[str | None, str | None]:
        match self._manifest.source:
            case ManifestImage(image=image):
                return f"image {ImageName.parse(image).reference}", None
            case ManifestGit(url=text, ref=ref):
                url = GitUrl.parse(text, http=self._context.settings.git_http)
                return f"git {url.text}" + (f" at {ref}" if ref else ""), url.login
            case ManifestCommit(commit=commit):
                return f"commit {commit}", None
        return None, None

    def _read(self) -> Now:
        assert self.app is not None
        session, vault, app_id = self._session, self._context.vault, self.app.id
        source = self._source()
        text = vault.unseal(source.app_json) if source and source.app_json else None
        config = session.scalars(select(ConfigVar).where(ConfigVar.app_id == app_id))
        formation = session.scalars(select(Formation).where(Formation.app_id == app_id))
        hosts = session.scalars(select(Domain.host).where(Domain.app_id == app_id))
        chosen = [
            (buildpacks.text_of(row), vault.unseal(row.login) if row.login else None)
            for row in rows(session, app_id)
        ]
        return Now(
            exists=True,
            source=describe_source(source) if source else None,
            login=vault.unseal(source.login) if source and source.login else None,
            procfile=source.procfile if source else None,
            about=AppJson.read(text) if text else AppJson(),
            env={row.key: vault.unseal(row.value) for row in config},
            formation={row.process: row.quantity for row in formation},
            domains=frozenset(hosts),
            buildpacks=chosen,
        )

    def _source(self) -> Source | None:
        """Of the deployment that is on its way, else of the release to build upon."""
        assert self.app is not None
        on_its_way = (
            select(Source)
            .join(Deployment, Deployment.source_id == Source.id)
            .where(Deployment.app_id == self.app.id, Deployment.status.not_in(ENDED))
            .order_by(Deployment.id.desc())
        )
        found = self._session.scalars(on_its_way).first()
        if found is not None:
            return found
        release: Release | None = current_release(self._session, self.app)
        if release is None or release.source_id is None:
            return None
        return self._session.get(Source, release.source_id)


def describe_source(source: Source) -> str:
    """A source in one line, as differences show it."""
    match source.kind:
        case "image":
            return f"image {source.location}"
        case "url":
            return f"git {source.location}" + (f" at {source.ref}" if source.ref else "")
        case "tarball":
            return f"upload {source.tree[:7]}"
        case _:
            return f"commit {source.commit}"


def _answer(
    app: str,
    manifest: Manifest,
    changes: Sequence[Change],
    deployment: DeploymentAnswer | None,
    *,
    dry_run: bool,
) -> ManifestAnswer:
    return ManifestAnswer(
        app=app,
        dry_run=dry_run,
        changes=[
            ManifestChange(path=one.path, before=one.before, after=one.after) for one in changes
        ],
        warnings=list(manifest.warnings()),
        deployment=deployment,
    )
