"""Deploy keys: an app's SSH key pair for git servers. The private half never leaves."""

from datetime import datetime

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from hythe.api.auth import CurrentActor, needs
from hythe.api.context import CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.shapes import Answer
from hythe.errors import NotFound
from hythe.model import App, DeployKey, Vault, Write, now

router = APIRouter(prefix="/apps/{app}/deploy-key", tags=["deploy keys"])


class DeployKeyAnswer(Answer):
    public: str = Field(description="A line for authorized_keys.", examples=["ssh-ed25519 AAAA"])
    created_at: datetime


def ensure(tx: Write, vault: Vault, app: App, actor: str, *, rotate: bool) -> DeployKey:
    """The app's key pair, made if there is none or another one is wanted."""
    row = _find(tx, app)
    if row is not None and not rotate:
        return row
    from hythe import sshkey  # what makes keys takes 4 MB, and is seldom used

    public, private = sshkey.make(f"hythe-{app.name}")
    row = row or DeployKey(app_id=app.id)
    row.public, row.private, row.created_at = public, vault.seal(private), now()
    tx.add(row)
    tx.flush()
    tx.note("deploy-key.make", "Make a deploy key", actor=actor, app_id=app.id)
    return row


@router.get("", summary="Show the public key")
def show_deploy_key(app: str, context: CurrentContext) -> DeployKeyAnswer:
    with context.database.read() as session:
        row = _find(session, find_app(session, app))
    if row is None:
        raise NotFound(f"{app} has no deploy key.", "Make one: `hythe git:deploy-key`.")
    return _answer(row)


@router.post("", summary="Make the key pair, if there is none", dependencies=[needs("manage")])
def make_deploy_key(
    app: str,
    context: CurrentContext,
    actor: CurrentActor,
    rotate: bool = Query(False, description="Make a new one in any case."),
) -> DeployKeyAnswer:
    with context.database.write() as tx:
        found = find_app(tx, app)
        return _answer(ensure(tx, context.vault, found, actor.name, rotate=rotate))


@router.delete("", status_code=204, summary="Delete the key pair", dependencies=[needs("manage")])
def delete_deploy_key(app: str, context: CurrentContext, actor: CurrentActor) -> None:
    with context.database.write() as tx:
        found = find_app(tx, app)
        row = _find(tx, found)
        if row is None:
            raise NotFound(f"{app} has no deploy key.", "There is nothing to do.")
        tx.delete(row)
        tx.note("deploy-key.delete", "Delete the deploy key", actor=actor.name, app_id=found.id)


def _find(session: Session, app: App) -> DeployKey | None:
    return session.scalar(select(DeployKey).where(DeployKey.app_id == app.id))


def _answer(row: DeployKey) -> DeployKeyAnswer:
    return DeployKeyAnswer(public=row.public, created_at=row.created_at)
