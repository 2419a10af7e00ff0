"""The handoff to the build: one Source row and one queued Deployment row."""

from collections.abc import Iterable

from sqlalchemy import select

from hythe.errors import NotFound
from hythe.model import App, Deployment, Source, Write, now
from hythe.settings import Settings
from hythe.transcript import Transcript


def submit(
    settings: Settings, tx: Write, source: Source, kind: str, warnings: Iterable[str] = ()
) -> Deployment:
    """Queue a deployment of a new source; the newest waits, those that waited are superseded.

    Lines for the pusher are written before the commit, so that they come before the build's. Raises
    NotFound when the app is gone.
    """
    app = tx.get(App, source.app_id)
    if app is None or app.destroyed_at:
        raise NotFound("There is no such app any more.")
    waiting = _supersede(tx, app)
    tx.add(source)
    tx.flush()
    version = (source.commit or source.tree)[:7]
    deployment = Deployment(
        app_id=app.id,
        kind=kind,
        description=f"Deploy {version}" if source.commit else f"Deploy upload {version}",
        source_id=source.id,
        created_by=source.created_by,
    )
    tx.add(deployment)
    tx.flush()
    for old in waiting:
        Transcript.of(settings, old.id).warn(f"Superseded by a newer {kind}, d{deployment.id}.")
    transcript = Transcript.of(settings, deployment.id)
    for warning in warnings:
        transcript.warn(warning)
    ahead = tx.scalar(
        select(Deployment.id).where(Deployment.app_id == app.id, Deployment.status == "building")
    )
    if ahead:
        transcript.step(f"Waiting for d{ahead}, which is building")
    tx.note(
        "deploy.create",
        f"d{deployment.id}: {deployment.description}",
        actor=source.created_by,
        app_id=app.id,
        deployment=deployment.id,
    )
    tx.poke(app.id)
    return deployment


def _supersede(tx: Write, app: App) -> list[Deployment]:
    waiting = list(
        tx.scalars(
            select(Deployment).where(Deployment.app_id == app.id, Deployment.status == "queued")
        )
    )
    for old in waiting:
        old.status = "superseded"
        old.ended_at = now()
    tx.flush()  # frees the place of the one queued deployment
    return waiting
