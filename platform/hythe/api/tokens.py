"""API tokens: minting, and finding the one that a request carries."""

import secrets
from contextlib import suppress
from datetime import timedelta

from sqlalchemy import select

from hythe.api.actor import Actor, Scope
from hythe.api.digest import digest
from hythe.errors import PlatformError, Unauthorized
from hythe.model import Database, Token, Write, now

USED_RESOLUTION = timedelta(minutes=1)


def mint(tx: Write, name: str, scope: Scope) -> tuple[Token, str]:
    """A new token's row, and its secret, which is not kept anywhere."""
    secret = f"hythe_{secrets.token_urlsafe(32)}"
    token = Token(name=name, hash=digest(secret), scope=scope)
    tx.add(token)
    tx.flush()
    return token, secret


def recognise(database: Database, secret: str) -> Token:
    """The token with this secret; raises Unauthorized."""
    with database.read() as session:
        token = session.scalar(select(Token).where(Token.hash == digest(secret)))
    if token is None:
        raise Unauthorized("The token is not known.")
    if token.revoked_at is not None:
        raise Unauthorized(f"The token '{token.name}' was revoked.")
    return token


def authenticate(database: Database, secret: str) -> Actor:
    """The actor whose token this is; raises Unauthorized. Notes the use, once a minute at most."""
    token = recognise(database, secret)
    if token.last_used_at is None or now() - token.last_used_at > USED_RESOLUTION:
        with suppress(PlatformError), database.write() as tx:  # a full disk is no reason to refuse
            tx.get_one(Token, token.id).last_used_at = now()
    scope: Scope = token.scope  # type: ignore[assignment]  # the column holds nothing else
    return Actor(token.name, scope)
