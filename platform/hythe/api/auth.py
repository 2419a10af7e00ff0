"""Who may ask for what: the actor of a request, and the scope that an endpoint needs."""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Request

from hythe.api.actor import Actor, Scope
from hythe.errors import Unauthorized


def secret_of(authorization: str) -> str:
    """The token in an Authorization header: Bearer, or Basic with the token as password (git)."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    if scheme.lower() == "basic":
        try:
            _user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise Unauthorized("The Authorization header cannot be read.") from None
        if colon and password:
            return password
    raise Unauthorized("The request carries no token.")


def _actor(request: Request) -> Actor:
    actor: Actor = request.state.actor  # the gate put it there
    return actor


def _visitor(request: Request) -> tuple[Actor, str] | None:
    actor, secret = (getattr(request.state, name, None) for name in ("actor", "session"))
    return None if actor is None or secret is None else (actor, secret)


def _session(request: Request) -> str:
    secret: str | None = getattr(request.state, "session", None)
    if secret is None:
        raise Unauthorized("The request carries a token, no session.", "Sign in first.")
    return secret


CurrentActor = Annotated[Actor, Depends(_actor)]
CurrentSession = Annotated[str, Depends(_session)]
"""The secret of the session that a browser's cookie carries."""

Visitor = Annotated[tuple[Actor, str] | None, Depends(_visitor)]
"""Who is signed in with a browser, and the session's secret; None where nobody is."""


def needs(scope: Scope) -> Any:
    """A dependency that refuses tokens of a narrower scope."""

    def check(actor: CurrentActor) -> None:
        actor.require(scope)

    guard: Callable[..., None] = check
    return Depends(guard)
