"""Claiming: which deployment is built next, and what its rows say when it ends."""

import threading
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import aliased

from hythe.appjson import AppJson
from hythe.build import cancel
from hythe.build.outcome import Failure
from hythe.imagename import ImageName
from hythe.model import (
    App,
    Build,
    ConfigVar,
    Database,
    Deployment,
    Registry,
    Release,
    Source,
    Vault,
    Write,
    fail,
    now,
    supersede,
)
from hythe.settings import Settings
from hythe.suite import KEY

BUILDPACK_PREFIX = "BP_"  # config vars that every build sees


@dataclass(frozen=True, slots=True)
class Claim:
    """A build that this process has taken on."""

    build_id: int
    deployment_id: int
    app_id: int
    app: str
    source: str  # relative to HYTHE_HOME
    tree: str  # of the source's files
    last: str | None  # the image of the app's last build by buildpacks
    attempts: int
    env: dict[str, str]
    procfile: str | None = None
    buildpacks: list[dict[str, Any]] = field(default_factory=list)  # BuildpackPin.as_json()
    image: str | None = None  # the name of an image; there is nothing to build then
    login: dict[str, str] | None = None  # for its registry


class Claims:
    """The rows of builds. One control plane leads, so what runs elsewhere was interrupted."""

    def __init__(self, settings: Settings, database: Database, vault: Vault) -> None:
        self._settings = settings
        self._database = database
        self._vault = vault
        self._held: set[int] = set()  # builds
        self._lock = threading.Lock()

    def take(self) -> Claim | None:
        """An interrupted build, else the oldest queued deployment of an app that builds nothing."""
        with self._lock:
            with self._database.write() as tx:
                claim = self._interrupted(tx) or self._queued(tx)
            if claim is not None:
                self._held.add(claim.build_id)
            return claim

    def drop(self, claim: Claim) -> None:
        """The build is not this process's any more."""
        with self._lock:
            self._held.discard(claim.build_id)

    def beat(self, claim: Claim) -> bool:
        """Record a heartbeat; False when somebody ended the deployment or canceled the build."""
        with self._database.write() as tx:
            row = _rows(tx, claim)
            if row is None or row[1].canceled_by is not None:
                return False
            row[1].heartbeat_at = now()
            return True

    def succeed(self, claim: Claim, result: dict[str, Any]) -> bool:
        """The build is done and the deployment goes on to release/; False when it was canceled."""
        with self._database.write() as tx:
            row = _rows(tx, claim)
            if row is None:
                return True
            deployment, build = row
            if build.canceled_by is not None:
                return False
            build.status = "succeeded"
            build.builder = result["builder"]
            build.image = result["image"]
            build.processes = result["processes"]
            build.result = result["result"]
            build.steps = result["steps"]
            build.ended_at = now()
            if deployment.release_id is not None:
                _replace_image(tx, deployment.release_id, build)
            if deployment.kind == "rebuild":  # its release serves already, or should
                deployment.status, deployment.ended_at = "live", now()
            else:
                deployment.status = "built"
            tx.poke(claim.app_id)
            return True

    def goes_on(self, claim: Claim) -> bool:
        """Whether the deployment of a finished build is still on its way."""
        with self._database.read() as session:
            deployment = session.get(Deployment, claim.deployment_id)
        return deployment is not None and not deployment.ended

    def fail(self, claim: Claim, failure: Failure) -> None:
        with self._database.write() as tx:
            row = _rows(tx, claim)
            if row is None:
                return
            deployment, build = row
            fail(tx, deployment, failure)
            _end(build)
            build.error_code = failure.code
            build.error_cause, build.error_fix = failure.cause, failure.fix
            build.steps = failure.steps

    def give_up(self, claim: Claim) -> bool:
        """Whether the build was canceled; its rows say so now."""
        with self._database.write() as tx:
            row = _rows(tx, claim)
            if row is None or row[1].canceled_by is None:
                return False
            cancel.carry_out(self._settings, tx, *row)
            return True

    def _interrupted(self, tx: Write) -> Claim | None:
        query = (
            select(Deployment, Build)
            .join(Build, Deployment.build_id == Build.id)
            .where(Build.status == "running", Build.id.not_in(self._held))
            .order_by(Build.id)
        )
        for deployment, build in tx.execute(query):
            if deployment.status == "building" and build.canceled_by is not None:
                cancel.carry_out(self._settings, tx, deployment, build)
            elif deployment.status == "building":
                build.attempts += 1
                build.heartbeat_at = now()
                return self._claim(tx, deployment, build)
            else:
                _end(build)  # the deployment was ended meanwhile
        return None

    def _queued(self, tx: Write) -> Claim | None:
        other = aliased(Deployment)
        busy = exists().where(other.app_id == Deployment.app_id, other.status == "building")
        waiting = tx.execute(
            select(Deployment, Source, Build)
            .join(App, App.id == Deployment.app_id)
            .join(Source, Source.id == Deployment.source_id)
            .outerjoin(Build, (Build.id == Deployment.build_id) & (Build.status == "queued"))
            .where(Deployment.status == "queued", App.destroyed_at.is_(None), ~busy)
            .order_by(Deployment.id)
        )
        # source/ lays a folder out again that is gone, and rings.
        here = (
            (deployment, build)
            for deployment, source, build in waiting
            if all((self._settings.home / folder).is_dir() for folder in source.folders)
            if build is None or build.canceled_by is None
        )
        deployment, build = next(here, (None, None))
        if deployment is None:
            return None
        if build is None:
            build = Build(app_id=deployment.app_id, source_id=deployment.source_id)
            tx.add(build)
        build.status, build.attempts = "running", 1
        build.started_at = build.heartbeat_at = now()
        tx.flush()
        deployment.status = "building"
        deployment.build_id = build.id
        return self._claim(tx, deployment, build)

    def _claim(self, tx: Write, deployment: Deployment, build: Build) -> Claim:
        app = tx.get_one(App, deployment.app_id)
        source = tx.get_one(Source, build.source_id)
        config = tx.scalars(select(ConfigVar).where(ConfigVar.app_id == app.id)).all()
        return Claim(
            build_id=build.id,
            deployment_id=deployment.id,
            app_id=app.id,
            app=app.name,
            source=source.path,
            tree=source.tree,
            last=_last_image(tx, app),
            attempts=build.attempts,
            env=self._first_env(source)
            | {
                row.key: self._vault.unseal(row.value)
                for row in config
                if row.build or row.key.startswith(BUILDPACK_PREFIX)
            },
            procfile=source.procfile,
            buildpacks=source.buildpacks or [],
            image=_image(tx, deployment, source),
            login=self._login(tx, source),
        )

    def _first_env(self, source: Source) -> dict[str, str]:
        """What app.json gives to buildpacks; config vars, once they are there, come before it."""
        if source.app_json is None:
            return {}
        about = AppJson.read(self._vault.unseal(source.app_json))
        given = about.first_values(()).items()
        suite = {KEY: about.suite.name} if about.suite else {}
        return suite | {key: value for key, value in given if key.startswith(BUILDPACK_PREFIX)}

    def _login(self, tx: Write, source: Source) -> dict[str, str] | None:
        """The stored credentials for the registry of an image."""
        if source.kind != "image" or not source.location:
            return None
        host = ImageName.parse(source.location).host
        row = tx.scalar(select(Registry).where(Registry.host == host))
        if row is None:
            return None
        return {"user": row.username, "password": self._vault.unseal(row.password)}


def _image(tx: Write, deployment: Deployment, source: Source) -> str | None:
    """The name of the image to run; for a release that had it before, by its digest."""
    if source.kind != "image":
        return None
    release = tx.get(Release, deployment.release_id) if deployment.release_id else None
    build = tx.get(Build, release.build_id) if release and release.build_id else None
    pinned = (build.result or {}).get("reference") if build else None
    return pinned or source.location


def _last_image(tx: Write, app: App) -> str | None:
    made = select(Build.image).where(
        Build.app_id == app.id, Build.status == "succeeded", Build.builder == "buildpacks"
    )
    return tx.scalar(made.order_by(Build.id.desc()).limit(1))


def _rows(tx: Write, claim: Claim) -> tuple[Deployment, Build] | None:
    """The rows of a claim, while they are still ours; ends the build when its deployment is not."""
    deployment = tx.get(Deployment, claim.deployment_id)
    build = tx.get(Build, claim.build_id)
    if deployment is None or build is None:  # the app was destroyed
        return None
    app = tx.get(App, claim.app_id)
    if deployment.status == "building" and app is not None and app.destroyed_at is None:
        return deployment, build
    _end(build)
    if deployment.status == "building":
        supersede(tx, [deployment], None)
    return None


def _replace_image(tx: Write, release_id: int, build: Build) -> None:
    """A release whose image was gone has it back, and so has every release of the same build."""
    lost = tx.get_one(Release, release_id)
    same = select(Release).where(Release.app_id == lost.app_id, Release.build_id == lost.build_id)
    for release in {lost, *tx.scalars(same)}:
        release.build_id, release.image = build.id, build.image or ""


def _end(build: Build) -> None:
    build.status = "failed"
    build.ended_at = now()
