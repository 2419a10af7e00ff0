"""The handoff: one Source row, and one Deployment row that is queued or has to be fetched first."""

from collections.abc import Iterable

from sqlalchemy import select

from hythe.buildpackpin import BuildpackPin
from hythe.errors import NotFound
from hythe.model import App, Deployment, Source, Write, supersede
from hythe.settings import Settings
from hythe.transcript import Transcript


def submit(
    settings: Settings, tx: Write, source: Source, kind: str, warnings: Iterable[str] = ()
) -> Deployment:
    """Insert a deployment of a new source; the newest waits, those that waited are superseded.

    A git URL, and buildpacks of other servers, have to be fetched first; all others are queued for
    the build. Lines for the pusher are written before the commit, so that they come before the
    build's. Raises NotFound when the app is gone.
    """
    app = tx.get(App, source.app_id)
    if app is None or app.destroyed_at:
        raise NotFound("There is no such app any more.")
    unfetched = any(BuildpackPin.read(pin).unfetched for pin in source.buildpacks or ())
    waiting = tx.scalars(
        select(Deployment).where(
            Deployment.app_id == app.id, Deployment.status.in_(["fetching", "queued"])
        )
    ).all()
    tx.add(source)
    tx.flush()
    deployment = Deployment(
        app_id=app.id,
        kind=kind,
        status="fetching" if source.kind == "url" or unfetched else "queued",
        description=_description(source),
        source_id=source.id,
        created_by=source.created_by,
    )
    line = supersede(tx, waiting, deployment)
    for old in waiting:
        Transcript.of(settings, old.id).warn(line)
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


def _description(source: Source) -> str:
    match source.kind:
        case "image":
            return f"Deploy image {source.location}"
        case "url":
            return f"Deploy {source.location}" + (f" at {source.ref}" if source.ref else "")
        case "tarball":
            return f"Deploy upload {source.tree[:7]}"
        case _:
            return f"Deploy {(source.commit or source.tree)[:7]}"
