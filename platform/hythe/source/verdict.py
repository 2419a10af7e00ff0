"""How a deployment ended, in the few words that git shows behind a rejected ref."""

from sqlalchemy.orm import Session

from hythe.errors import BootTimeout, CrashedAtBoot, ReleaseError, RolloutError, Unhealthy
from hythe.model import App, Build, Deployment, Release
from hythe.source.heir import last_heir

_UNHEALTHY = frozenset(
    error.code for error in (RolloutError, BootTimeout, CrashedAtBoot, Unhealthy)
)


def verdict(session: Session, deployment_id: int) -> str | None:
    """Why a deployment did not go live, and what serves instead; None when it went live."""
    deployment = session.get(Deployment, deployment_id)
    if deployment is None:
        return "the app was destroyed"
    deployment = last_heir(session, deployment)
    if deployment.status == "live":
        return None
    if deployment.status == "superseded":
        newer = session.get(Deployment, deployment.superseded_by or 0)
        return f"superseded by a newer {newer.kind}, d{newer.id}" if newer else "its app is gone"
    serves = _what_serves(session, deployment.app_id)
    if deployment.status == "canceled":
        build = session.get(Build, deployment.build_id) if deployment.build_id else None
        return f"build canceled by {build.canceled_by if build else 'somebody'}, {serves}"
    return f"{_what_failed(session, deployment)}, {serves}"


def _what_failed(session: Session, deployment: Deployment) -> str:
    release = session.get(Release, deployment.release_id) if deployment.release_id else None
    if deployment.error_code == ReleaseError.code:
        return "release phase failed"
    if release is None:
        return "build failed"
    if deployment.error_code in _UNHEALTHY:
        return f"v{release.version} never became healthy"
    return f"v{release.version} failed ({deployment.error_code or 'unknown'})"


def _what_serves(session: Session, app_id: int) -> str:
    app = session.get(App, app_id)
    serving = session.get(Deployment, app.serving_id) if app and app.serving_id else None
    release = session.get(Release, serving.release_id) if serving and serving.release_id else None
    return f"v{release.version} still serves" if release else "nothing serves yet"
