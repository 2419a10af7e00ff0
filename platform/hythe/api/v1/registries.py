"""Registries: stored credentials for pulling images."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from hythe.api.auth import CurrentActor, needs
from hythe.api.context import CurrentContext
from hythe.api.v1.shapes import Answer, Body, Items
from hythe.engine.port import Login
from hythe.errors import NotFound
from hythe.imagename import registry_host
from hythe.model import Registry, Vault, Write

router = APIRouter(prefix="/registries", tags=["registries"], dependencies=[needs("manage")])


class RegistryLogin(Body):
    host: Annotated[str, Field(min_length=1, max_length=255, description="HOST or HOST:PORT")]
    username: Annotated[str, Field(min_length=1, max_length=200)]
    password: Annotated[str, Field(min_length=1, max_length=10_000)]
    verify: bool = Field(True, description="Let the registry check them before they are stored.")


class RegistryAnswer(Answer):
    host: str
    username: str
    created_at: datetime


def log_in(tx: Write, vault: Vault, body: RegistryLogin, actor: str) -> Registry:
    """Store credentials for a host, in the place of earlier ones; raises InvalidValue."""
    host = registry_host(body.host)
    row = tx.scalar(select(Registry).where(Registry.host == host)) or Registry(host=host)
    row.username, row.password = body.username, vault.seal(body.password)
    tx.add(row)
    tx.flush()
    tx.note("registry.login", f"Log in to {host} as {body.username}", actor=actor, host=host)
    return row


def log_out(tx: Write, host: str, actor: str) -> None:
    """Forget the credentials of a host; raises NotFound."""
    host = registry_host(host)
    row = tx.scalar(select(Registry).where(Registry.host == host))
    if row is None:
        raise NotFound(f"There are no credentials for {host}.", "List them: `hythe registry`.")
    tx.delete(row)
    tx.note("registry.logout", f"Log out of {host}", actor=actor, host=host)


@router.get("", summary="List registries with stored credentials")
def list_registries(context: CurrentContext) -> Items[RegistryAnswer]:
    with context.database.read() as session:
        rows = session.scalars(select(Registry).order_by(Registry.host)).all()
    return Items(items=[_answer(row) for row in rows])


@router.post("", status_code=201, summary="Store credentials for a registry")
def login_registry(
    body: RegistryLogin, context: CurrentContext, actor: CurrentActor
) -> RegistryAnswer:
    if body.verify:
        login = Login(body.username, body.password)
        context.engine.images.check_login(registry_host(body.host), login)
    with context.database.write() as tx:
        return _answer(log_in(tx, context.vault, body, actor.name))


@router.delete("/{host}", status_code=204, summary="Forget the credentials for a registry")
def logout_registry(host: str, context: CurrentContext, actor: CurrentActor) -> None:
    with context.database.write() as tx:
        log_out(tx, host, actor.name)


def _answer(row: Registry) -> RegistryAnswer:
    return RegistryAnswer(host=row.host, username=row.username, created_at=row.created_at)
