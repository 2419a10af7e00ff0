"""Certificates: what an app shows by TLS. Private keys go in and never come out."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from hythe.api.auth import CurrentActor, needs
from hythe.api.context import CurrentContext
from hythe.api.v1.apps import find_app, implied_host
from hythe.api.v1.shapes import Answer, Body, Items
from hythe.errors import InvalidValue, NotFound
from hythe.model import App, Certificate, Domain, Vault, Write, now
from hythe.settings import Settings
from hythe.wire import place_of

if TYPE_CHECKING:
    from hythe.api.pem import Pair

router = APIRouter(prefix="/apps/{app}/certificates", tags=["certificates"])

Pem = Annotated[str, Field(min_length=1, max_length=64 * 1024)]


class NewCertificate(Body):
    chain: Pem = Field(description="PEM: the app's own certificate, then those that sign it.")
    key: Pem = Field(description="PEM: the private key, not encrypted.")


class CertificateAnswer(Answer):
    names: list[str]
    serves: list[str] = Field(description="The hosts of the app that it is shown for.")
    fingerprint: str = Field(description="SHA-256, hexadecimal.")
    expires_at: datetime
    created_at: datetime


def add(
    tx: Write, settings: Settings, vault: Vault, app: App, pair: "Pair", actor: str
) -> Certificate:
    """Keep a certificate; it takes the place of one with the same names. Raises InvalidValue."""
    row = Certificate(
        app_id=app.id,
        fingerprint=pair.fingerprint,
        names=pair.names,
        chain=pair.chain,
        key=vault.seal(pair.key),
        expires_at=pair.expires_at,
    )
    hosts = _hosts(tx, settings, app)
    if not any(row.covers(host) for host in hosts):
        raise InvalidValue(
            f"The certificate is for {', '.join(pair.names)}; no host of {app.name} is among them.",
            f"Add the domain first: `hythe domains:add {pair.names[0]} -a {app.name}`.",
        )
    for old in _of(tx, app):
        if old.names == pair.names or old.fingerprint == pair.fingerprint:
            tx.delete(old)
    tx.flush()
    tx.add(row)
    tx.flush()
    tx.note(
        "certificate.add",
        f"Add a certificate for {', '.join(pair.names)}",
        actor=actor,
        app_id=app.id,
    )
    tx.poke(app.id)
    return row


def remove(tx: Write, app: App, name: str, actor: str) -> None:
    """Drop the certificates that name this host; raises NotFound."""
    rows = [row for row in _of(tx, app) if name.lower() in row.names]
    if not rows:
        raise NotFound(f"{app.name} has no certificate for {name}.", "List them: `hythe certs`.")
    for row in rows:
        tx.delete(row)
    tx.note("certificate.remove", f"Remove the certificate for {name}", actor=actor, app_id=app.id)
    tx.poke(app.id)


@router.get("", summary="List certificates")
def list_certificates(app: str, context: CurrentContext) -> Items[CertificateAnswer]:
    with context.database.read() as session:
        row = find_app(session, app)
        hosts = _hosts(session, context.settings, row)
        return Items(items=[_answer(each, hosts) for each in _of(session, row)])


@router.post("", status_code=201, summary="Add a certificate", dependencies=[needs("manage")])
def add_certificate(
    app: str, body: NewCertificate, context: CurrentContext, actor: CurrentActor
) -> CertificateAnswer:
    from hythe.api import pem  # what reads certificates takes 4 MB, and is seldom used

    pair = pem.read(body.chain, body.key, now())
    with context.database.write() as tx:
        row = find_app(tx, app)
        made = add(tx, context.settings, context.vault, row, pair, actor.name)
        return _answer(made, _hosts(tx, context.settings, row))


@router.delete(
    "/{name}", status_code=204, summary="Remove a certificate", dependencies=[needs("manage")]
)
def remove_certificate(app: str, name: str, context: CurrentContext, actor: CurrentActor) -> None:
    with context.database.write() as tx:
        remove(tx, find_app(tx, app), name, actor.name)


def _of(session: Session, app: App) -> list[Certificate]:
    rows = select(Certificate).where(Certificate.app_id == app.id).order_by(Certificate.id)
    return list(session.scalars(rows))


def _hosts(session: Session, settings: Settings, app: App) -> list[str]:
    """The app's host names, without paths: a certificate knows none."""
    rows = select(Domain.host).where(Domain.app_id == app.id).order_by(Domain.host)
    names = [implied_host(settings, app), *(place_of(host)[0] for host in session.scalars(rows))]
    return list(dict.fromkeys(names))


def _answer(row: Certificate, hosts: list[str]) -> CertificateAnswer:
    return CertificateAnswer(
        names=row.names,
        serves=[host for host in hosts if row.covers(host)],
        fingerprint=row.fingerprint,
        expires_at=row.expires_at,
        created_at=row.created_at,
    )
