"""How deployments end without going live; whoever ends one comes here."""

from collections.abc import Iterable
from typing import Protocol

from hythe.model.base import now
from hythe.model.database import Write
from hythe.model.deployment import Deployment


class Reason(Protocol):
    """An error, or what was kept of one."""

    @property
    def code(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def fix(self) -> str: ...


def fail(tx: Write, deployment: Deployment, reason: Reason) -> None:
    """The deployment failed. Its transcript should say why before the commit."""
    deployment.status, deployment.ended_at = "failed", now()
    deployment.error_code = reason.code
    deployment.error_cause, deployment.error_fix = reason.cause, reason.fix
    tx.note(
        "deploy.failed",
        reason.cause,
        actor=deployment.created_by,
        app_id=deployment.app_id,
        deployment=deployment.id,
        code=reason.code,
        fix=reason.fix,
    )
    tx.poke(deployment.app_id)


def supersede(tx: Write, older: Iterable[Deployment], by: Deployment | None) -> str:
    """A newer deployment takes their place, or (None) their app is destroyed.

    by: inserted here if it is new, since only one may wait, build or roll at a time. Returns the
    line for their transcripts, to be written before the commit.
    """
    ended = list(older)
    for deployment in ended:
        deployment.status, deployment.ended_at = "superseded", now()
    tx.flush()
    line = "The app is being destroyed."
    if by is not None:
        tx.add(by)
        tx.flush()
        line = f"Superseded by a newer {by.kind}, d{by.id}."
    for deployment in ended:
        deployment.superseded_by = by.id if by else None
        tx.note(
            "deploy.superseded",
            line,
            actor=by.created_by if by else "hythe",
            app_id=deployment.app_id,
            deployment=deployment.id,
            by=deployment.superseded_by,
        )
        tx.poke(deployment.app_id)
    return line
