"""What somebody decides about a release that is taking over. Rows only: the loop does the rest."""

from sqlalchemy import select

from hythe.errors import Aborted, Conflict
from hythe.model import App, Deployment, Release, Write, fail, now
from hythe.settings import Settings
from hythe.transcript import Transcript


def taking_over(tx: Write, app: App, version: int | None) -> tuple[Deployment, Release]:
    """The deployment that rolls, and has not all of the traffic; raises Conflict."""
    found = tx.execute(
        select(Deployment, Release)
        .join(Release, Release.id == Deployment.release_id)
        .where(Deployment.app_id == app.id, Deployment.status == "rolling")
    ).first()
    if found is None or (version is not None and found[1].version != version):
        what = "No release" if version is None else f"v{version}"
        raise Conflict(f"{what} is not taking over now.", "See `hythe releases`.")
    if found[0].id == app.serving_id:
        raise Conflict(
            f"v{found[1].version} has all of the traffic already.", "Go back: `hythe rollback`."
        )
    return found[0], found[1]


def promote(tx: Write, app: App, version: int | None, actor: str) -> Deployment:
    """Give it all of the traffic as soon as all of its instances are up."""
    deployment, release = taking_over(tx, app, version)
    if deployment.promoted_at is None:
        deployment.promoted_at = now()
        tx.note(
            "deploy.promoted",
            f"v{release.version} is promoted",
            actor=actor,
            app_id=app.id,
            deployment=deployment.id,
        )
        tx.poke(app.id)
    return deployment


def abort(tx: Write, settings: Settings, app: App, version: int | None, actor: str) -> Deployment:
    """Give it up; the release before goes on."""
    deployment, release = taking_over(tx, app, version)
    error = Aborted(f"{actor} aborted v{release.version}.")
    Transcript.of(settings, deployment.id).warn(f"{error.cause}\n{error.fix}")
    fail(tx, deployment, error)
    return deployment
