"""Sessions of people who signed in with a browser.

The browser holds a cookie with a random secret, of which only the hash is stored. A page of another
site cannot read the CSRF token, which is derived from that secret, and so cannot act for the
person even where the browser would send the cookie along.
"""

import hashlib
import hmac
import secrets
from contextlib import suppress
from datetime import timedelta
from typing import cast

from fastapi import Response
from sqlalchemy import delete, or_, select

from hythe.api.actor import Actor, Scope
from hythe.api.digest import digest
from hythe.errors import PlatformError, Unauthorized
from hythe.model import Database, User, UserSession, Write, now

COOKIE = "hythe_session_"  # and the id of the installation
IDLE = timedelta(days=7)
LONGEST = timedelta(days=30)
USED_RESOLUTION = timedelta(minutes=1)


def open_session(tx: Write, user: User, before: str | None) -> str:
    """A new session's secret. The one that the browser had before ends, whosever it was."""
    oldest_use, oldest = now() - IDLE, now() - LONGEST
    expired = or_(UserSession.last_used_at < oldest_use, UserSession.created_at < oldest)
    tx.execute(delete(UserSession).where(expired))
    if before:
        end_session(tx, before)
    secret = secrets.token_urlsafe(32)
    tx.add(UserSession(user_id=user.id, hash=digest(secret)))
    return secret


def end_session(tx: Write, secret: str) -> None:
    tx.execute(delete(UserSession).where(UserSession.hash == digest(secret)))


def end_all(tx: Write, user: User) -> None:
    tx.execute(delete(UserSession).where(UserSession.user_id == user.id))


def recognise(database: Database, secret: str) -> tuple[UserSession, User]:
    """The session with this secret, and whose it is; raises Unauthorized."""
    with database.read() as session:
        row = session.execute(
            select(UserSession, User)
            .join(User, User.id == UserSession.user_id)
            .where(UserSession.hash == digest(secret))
        ).first()
    if row is None:
        raise Unauthorized("Nobody is signed in here any more.", "Sign in again.")
    found, user = row
    if now() - found.last_used_at > IDLE or now() - found.created_at > LONGEST:
        raise Unauthorized("The session has expired.", "Sign in again.")
    return found, user


def authenticate(database: Database, secret: str) -> Actor:
    """Who is signed in; raises Unauthorized. Notes the use, once a minute at most."""
    found, user = recognise(database, secret)
    if now() - found.last_used_at > USED_RESOLUTION:
        with suppress(PlatformError), database.write() as tx:  # a full disk is no reason to refuse
            row = tx.get(UserSession, found.id)
            if row is not None:  # signed out meanwhile
                row.last_used_at = now()
    return Actor(user.name, cast(Scope, user.scope))


def csrf_token(secret: str) -> str:
    """What the header X-CSRF-Token has to hold in this session."""
    return hmac.new(secret.encode(), b"hythe csrf token", hashlib.sha256).hexdigest()


def cookie_name(installation: str, scheme: str) -> str:
    """Of this installation alone: browsers send a cookie to all ports of a host.

    Over TLS no other host below the same domain can set it either (RFC 6265bis, __Host-).
    """
    return f"{'__Host-' if scheme == 'https' else ''}{COOKIE}{installation}"


def set_cookie(response: Response, installation: str, secret: str, scheme: str) -> None:
    response.set_cookie(
        cookie_name(installation, scheme),
        secret,
        max_age=int(LONGEST.total_seconds()),
        path="/",
        httponly=True,
        samesite="strict",
        secure=scheme == "https",
    )


def clear_cookie(response: Response, installation: str, scheme: str) -> None:
    response.delete_cookie(
        cookie_name(installation, scheme),
        path="/",
        httponly=True,
        samesite="strict",
        secure=scheme == "https",
    )
