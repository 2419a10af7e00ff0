"""API tokens: minting, and finding the one that a request carries."""

import hashlib
import hmac
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import select

from hythe.errors import Forbidden, PlatformError, Unauthorized
from hythe.model import Database, Token, Write, now

Scope = Literal["read", "deploy", "manage"]
SCOPES: tuple[Scope, ...] = ("read", "deploy", "manage")
"""From narrow to wide; each allows what the ones before it allow."""

USED_RESOLUTION = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a request."""

    token_id: int
    name: str
    scope: Scope

    def require(self, scope: Scope) -> None:
        """Raise Forbidden unless the token's scope covers this one."""
        if SCOPES.index(self.scope) < SCOPES.index(scope):
            raise Forbidden(
                f"This needs a token of scope {scope}; '{self.name}' has {self.scope}.",
                f"Make one: `hythe tokens:create --scope {scope}`.",
            )


def mint(tx: Write, name: str, scope: Scope) -> tuple[Token, str]:
    """A new token's row, and its secret, which is not kept anywhere."""
    secret = f"hythe_{secrets.token_urlsafe(32)}"
    token = Token(name=name, hash=_digest(secret), scope=scope)
    tx.add(token)
    tx.flush()
    return token, secret


def authenticate(database: Database, secret: str) -> Actor:
    """The actor whose token this is; raises Unauthorized. Notes the use, once a minute at most."""
    digest = _digest(secret)
    with database.read() as session:
        token = session.scalar(select(Token).where(Token.hash == digest))
    if token is None or not hmac.compare_digest(token.hash, digest):
        raise Unauthorized("The token is not known.")
    if token.revoked_at is not None:
        raise Unauthorized(f"The token '{token.name}' was revoked.")
    if token.last_used_at is None or now() - token.last_used_at > USED_RESOLUTION:
        with suppress(PlatformError), database.write() as tx:  # a full disk is no reason to refuse
            tx.get_one(Token, token.id).last_used_at = now()
    scope: Scope = token.scope  # type: ignore[assignment]  # the column holds nothing else
    return Actor(token.id, token.name, scope)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
