"""Domains: host names of an app besides its own."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from hythe import names
from hythe.api.auth import CurrentActor, needs
from hythe.api.context import Context, CurrentContext
from hythe.api.v1.apps import find_app, implied_host
from hythe.api.v1.shapes import Answer, Body, Items
from hythe.errors import Conflict, DomainTaken, InvalidValue, NotFound
from hythe.model import App, Domain, Write
from hythe.settings import Settings
from hythe.wire import place_of

router = APIRouter(prefix="/apps/{app}/domains", tags=["domains"])


class NewDomain(Body):
    host: Annotated[str, Field(min_length=1, max_length=255)] = Field(
        description="A host name, or *. before one for all names below it."
    )
    path: str = Field("", max_length=500, description="Only requests below this path.")


class DomainAnswer(Answer):
    host: str = Field(description="With its path, as it is removed: example.com/shop.")
    url: str | None = Field(description="Null for a wildcard.")
    implied: bool = Field(description="APP.HYTHE_DOMAIN, which every app has.")
    created_at: datetime


def add(tx: Write, context: Context, app: App, value: str, path: str, actor: str) -> Domain:
    """Give the app a domain; raises InvalidName, InvalidValue, Conflict and DomainTaken."""
    settings = context.settings
    host = names.place(value, path)
    if host == implied_host(settings, app):
        raise Conflict(f"{app.name} has {host} from the start.", "There is nothing to do.")
    name, _ = place_of(host)
    _refuse_control_plane(context, name)
    if name.endswith(f".{settings.domain}") and "." not in name.removesuffix(f".{settings.domain}"):
        raise InvalidValue(
            f"Names right below {settings.domain} belong to the apps of that name.",
            "Choose another domain, or create an app with that name.",
        )
    _refuse_taken(tx, app, host)
    domain = Domain(app_id=app.id, host=host)
    tx.add(domain)
    try:
        tx.flush()
    except IntegrityError:
        raise DomainTaken(f"{host} belongs to another app.") from None
    tx.note("domain.add", f"Add {host}", actor=actor, app_id=app.id)
    tx.poke(app.id)
    return domain


def remove(tx: Write, app: App, value: str, actor: str) -> None:
    """Take a domain away; raises NotFound."""
    host = names.place(*place_of(value))
    domain = tx.scalar(select(Domain).where(Domain.app_id == app.id, Domain.host == host))
    if domain is None:
        raise NotFound(f"{app.name} has no domain {host}.", "List them: `hythe domains`.")
    tx.delete(domain)
    tx.note("domain.remove", f"Remove {host}", actor=actor, app_id=app.id)
    tx.poke(app.id)


@router.get("", summary="List domains")
def list_domains(app: str, context: CurrentContext) -> Items[DomainAnswer]:
    settings = context.settings
    with context.database.read() as session:
        row = find_app(session, app)
        rows = session.scalars(
            select(Domain).where(Domain.app_id == row.id).order_by(Domain.host)
        ).all()
    host = implied_host(settings, row)
    own = DomainAnswer(
        host=host, url=settings.app_url(host), implied=True, created_at=row.created_at
    )
    return Items(items=[own, *(_answer(settings, domain) for domain in rows)])


@router.post("", status_code=201, summary="Add a domain", dependencies=[needs("manage")])
def add_domain(
    app: str, body: NewDomain, context: CurrentContext, actor: CurrentActor
) -> DomainAnswer:
    with context.database.write() as tx:
        domain = add(tx, context, find_app(tx, app), body.host, body.path, actor.name)
    return _answer(context.settings, domain)


@router.delete(
    "/{host:path}", status_code=204, summary="Remove a domain", dependencies=[needs("manage")]
)
def remove_domain(app: str, host: str, context: CurrentContext, actor: CurrentActor) -> None:
    with context.database.write() as tx:
        remove(tx, find_app(tx, app), host, actor.name)


def _refuse_control_plane(context: Context, name: str) -> None:
    """Refuse what the control plane answers to: an app there would get its cookies.

    A browser sends a cookie to all ports of a host, and takes a name whose last part is a number
    for an IPv4 address (WHATWG URL, "ends in a number").
    """
    if name in context.settings.api_hosts:
        raise InvalidValue(f"{name} is the control plane's own name.", "Choose another domain.")
    if name.rpartition(".")[2].isdecimal():
        raise InvalidValue(
            f"{name} is an address, and the control plane answers to those.",
            "Choose a name, and point it here.",
        )
    certificate = context.certificate()
    if certificate is not None and certificate.meets(name):
        raise InvalidValue(
            f"{name} is in the control plane's certificate, so it answers there itself.",
            "Choose another domain, or give HYTHE_TLS_CERT a certificate without this name.",
        )


def _refuse_taken(tx: Write, app: App, host: str) -> None:
    owner = tx.scalar(select(App).join(Domain, Domain.app_id == App.id).where(Domain.host == host))
    if owner is None:
        return
    if owner.id == app.id:
        raise Conflict(f"{app.name} has {host} already.", "There is nothing to do.")
    raise DomainTaken(
        f"{host} belongs to the app {owner.name}.",
        f"Remove it there first: `hythe domains:remove {host} -a {owner.name}`.",
    )


def _answer(settings: Settings, domain: Domain) -> DomainAnswer:
    return DomainAnswer(
        host=domain.host,
        url=None if domain.host.startswith("*.") else settings.app_url(domain.host),
        implied=False,
        created_at=domain.created_at,
    )
