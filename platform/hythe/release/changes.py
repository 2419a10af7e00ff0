"""Releases without a build: config, rollback, redeploy; and restarts."""

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.orm import Session

from hythe import names
from hythe.errors import Conflict, InvalidValue, NotFound
from hythe.model import (
    ENDED,
    App,
    Build,
    ConfigVar,
    Deployment,
    Release,
    Vault,
    Write,
    supersede,
)
from hythe.release.release import config_now, from_build, next_version
from hythe.settings import Settings
from hythe.transcript import Transcript

CONFIG_LIMIT = 64 * 1024


class ReleaseChanges:
    """Each method works in the caller's transaction and inserts a deployment at `built`."""

    def __init__(self, settings: Settings, vault: Vault) -> None:
        self._settings = settings
        self._vault = vault

    def config(
        self,
        tx: Write,
        app: App,
        set: Mapping[str, str],  # noqa: A002 - the API's word
        unset: Sequence[str],
        build_keys: bool,
        actor: str,
    ) -> Deployment | None:
        """Store config vars and release them; None when there is nothing to release yet.

        Raises InvalidName for a key, InvalidValue over 64 KiB in all, NotFound for an unset key
        that is not there.
        """
        self._release_waiting(tx, app)
        before = config_now(tx, self._vault, app.id)
        description = self.store(tx, app, set, unset, build_keys, actor)
        after = config_now(tx, self._vault, app.id)
        base = current_release(tx, app)
        if base is None or before == after:
            return None
        return self._release(tx, app, base, after, "config", description, actor)

    def store(
        self,
        tx: Write,
        app: App,
        set: Mapping[str, str],  # noqa: A002 - the API's word
        unset: Sequence[str],
        build_keys: bool,
        actor: str,
    ) -> str:
        """Store config vars for the next release; returns what changed, in words.

        Raises what `config` raises.
        """
        self._release_waiting(tx, app)
        rows = {
            row.key: row for row in tx.scalars(select(ConfigVar).where(ConfigVar.app_id == app.id))
        }
        for key, value in set.items():
            names.config_key(key)
            if "\0" in value:
                raise InvalidValue(f"The value of {key} holds a NUL byte.", "Encode it as text.")
            row = rows.get(key) or ConfigVar(app_id=app.id, key=key)
            row.value, row.build = self._vault.seal(value), row.build or build_keys
            tx.add(row)
        for key in unset:
            if key not in rows:
                raise NotFound(f"{app.name} has no config key {key}.", "List them: `hythe config`.")
            tx.delete(rows[key])
        tx.flush()
        after = config_now(tx, self._vault, app.id)
        if sum(len(k) + len(v.encode()) for k, v in after.items()) > CONFIG_LIMIT:
            raise InvalidValue("The config is over 64 KiB in all.", "Keep large values in a file.")
        description = _describe(sorted(set), sorted(unset))
        tx.note("config.change", description, actor=actor, app_id=app.id)
        return description

    def rollback(
        self,
        tx: Write,
        app: App,
        version: int | None,
        actor: str,
        run_release_phase: bool = False,
    ) -> tuple[Deployment, list[str]]:
        """Repeat an earlier release as a new one; the one before the serving one by default.

        Returns the deployment and the config keys whose value changes. Keys marked `current` keep
        today's value, since a revoked secret must not come back. The config vars of the app become
        those of the release. Older deployments under way are superseded, or a push that still
        builds would take the traffic back; a release phase that runs goes on to its end.
        """
        self._release_waiting(tx, app)
        base = self._earlier(tx, app, version)
        now = config_now(tx, self._vault, app.id)
        then = self._vault.unseal_map(base.config)
        rows = {
            row.key: row for row in tx.scalars(select(ConfigVar).where(ConfigVar.app_id == app.id))
        }
        for key, row in rows.items():
            if row.current:
                then[key] = now[key]
        changed = sorted(key for key in now.keys() | then.keys() if now.get(key) != then.get(key))
        for key in changed:
            if key in then:
                row = rows.get(key) or ConfigVar(app_id=app.id, key=key)
                row.value = self._vault.seal(then[key])
                tx.add(row)
            else:
                tx.delete(rows[key])
        deployment = self._release(
            tx,
            app,
            base,
            then,
            "rollback",
            f"Rollback to v{base.version}",
            actor,
            skip_release_phase=not run_release_phase,
        )
        self._end_older(tx, app, deployment)
        return deployment, changed

    def redeploy(self, tx: Write, app: App, version: int | None, actor: str) -> Deployment:
        """Release a version's image again (the serving one's by default), with today's config."""
        self._release_waiting(tx, app)
        base = self._version(tx, app, version) if version else current_release(tx, app)
        if base is None:
            raise NotFound(f"{app.name} has no release.", "Push code first: `git push hythe main`.")
        config = config_now(tx, self._vault, app.id)
        return self._release(tx, app, base, config, "redeploy", f"Redeploy v{base.version}", actor)

    def restart(self, tx: Write, app: App, actor: str) -> Deployment:
        """Replace all instances of the serving release, without a new release."""
        serving = tx.get(Deployment, app.serving_id) if app.serving_id else None
        if serving is None:
            raise Conflict(f"{app.name} is not running.", "Push code first: `git push hythe main`.")
        if tx.scalar(select(exists().where(_on_its_way(app)))):
            raise Conflict(
                f"A deploy of {app.name} is under way, and replaces all instances.",
                "Wait for it to end; see it with `hythe releases`.",
            )
        deployment = Deployment(
            app_id=app.id,
            kind="restart",
            status="built",
            description="Restart",
            release_id=serving.release_id,
            skip_release_phase=True,
            created_by=actor,
        )
        return self._insert(tx, app, deployment)

    def _release_waiting(self, tx: Write, app: App) -> None:
        """Make the releases of finished builds that wait, or the change would pass them by."""
        waiting = select(Deployment).where(
            Deployment.app_id == app.id,
            Deployment.status == "built",
            Deployment.release_id.is_(None),
        )
        for deployment in tx.scalars(waiting.order_by(Deployment.id)):
            build = tx.get_one(Build, deployment.build_id)
            release = from_build(tx, self._vault, self._settings, app, deployment, build)
            deployment.release_id = release.id

    def _end_older(self, tx: Write, app: App, deployment: Deployment) -> None:
        """End what is under way besides this one; one that has the traffic is run/'s to end."""
        older = tx.scalars(
            select(Deployment).where(
                Deployment.app_id == app.id,
                Deployment.status.not_in(ENDED),
                Deployment.kind != "rebuild",  # it brings an image back, and takes no traffic
                Deployment.id.not_in((deployment.id, app.serving_id or 0)),
            )
        ).all()
        line = supersede(tx, older, deployment)
        for other in older:
            Transcript.of(self._settings, other.id).warn(line)

    def _earlier(self, tx: Write, app: App, version: int | None) -> Release:
        current = current_release(tx, app)
        if version is not None:
            return self._version(tx, app, version)
        served = (
            select(Release)
            .join(Deployment, Deployment.release_id == Release.id)
            .where(Release.app_id == app.id, Deployment.status == "live")
            .order_by(Release.version.desc())
        )
        if current is not None:
            served = served.where(Release.version < current.version)
        if (release := tx.scalars(served.limit(1)).first()) is not None:
            return release
        raise Conflict(f"{app.name} has no earlier release.", "List them: `hythe releases`.")

    def _version(self, tx: Write, app: App, version: int) -> Release:
        release = tx.scalar(
            select(Release).where(Release.app_id == app.id, Release.version == version)
        )
        if release is None:
            raise NotFound(f"{app.name} has no release v{version}.", "See `hythe releases`.")
        return release

    def _release(
        self,
        tx: Write,
        app: App,
        base: Release,
        config: dict[str, str],
        kind: str,
        description: str,
        actor: str,
        skip_release_phase: bool = False,
    ) -> Deployment:
        release = Release(
            app_id=app.id,
            version=next_version(tx, app.id),
            description=description,
            build_id=base.build_id,
            source_id=base.source_id,
            repeats=base.version if kind == "rollback" else None,
            image=base.image,
            config=self._vault.seal_map(config),
            spec=base.spec,
            created_by=actor,
        )
        tx.add(release)
        tx.flush()
        deployment = Deployment(
            app_id=app.id,
            kind=kind,
            status="built",
            description=description,
            source_id=base.source_id,
            build_id=base.build_id,
            release_id=release.id,
            skip_release_phase=skip_release_phase,
            created_by=actor,
        )
        return self._insert(tx, app, deployment)

    def _insert(self, tx: Write, app: App, deployment: Deployment) -> Deployment:
        if app.destroyed_at:
            raise Conflict(f"{app.name} is being destroyed.", "Create it again when it is gone.")
        tx.add(deployment)
        tx.flush()
        tx.note(
            f"deploy.{deployment.kind}",
            deployment.description,
            actor=deployment.created_by,
            app_id=app.id,
            deployment=deployment.id,
        )
        tx.poke(app.id)
        return deployment


def current_release(tx: Session, app: App) -> Release | None:
    """The release to build upon: the one on its way, else the serving one, else the newest."""
    on_the_way = (
        select(Deployment)
        .where(_on_its_way(app), Deployment.release_id.is_not(None))
        .order_by(Deployment.id.desc())
    )
    deployment = tx.scalars(on_the_way).first()
    if deployment is None and app.serving_id is not None:
        deployment = tx.get(Deployment, app.serving_id)
    if deployment is not None and deployment.release_id is not None:
        return tx.get(Release, deployment.release_id)
    newest = select(Release).where(Release.app_id == app.id).order_by(Release.version.desc())
    return tx.scalars(newest).first()


def _on_its_way(app: App) -> ColumnElement[bool]:
    """Deployments of the app that have an image and do not have the traffic yet."""
    return and_(
        Deployment.app_id == app.id, Deployment.status.in_(["built", "releasing", "rolling"])
    )


def _describe(set_keys: Sequence[str], unset_keys: Sequence[str]) -> str:
    parts = []
    if set_keys:
        parts.append("Set " + ", ".join(set_keys))
    if unset_keys:
        parts.append("Unset " + ", ".join(unset_keys))
    return "; ".join(parts) + " config vars" if parts else "No change"
