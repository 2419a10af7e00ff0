"""Set-up: the first user, and the link that makes one."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy import select

from hythe import names
from hythe.api import passwords, sessions
from hythe.api.auth import CurrentActor, needs
from hythe.api.context import CurrentContext
from hythe.api.setup_link import find_code, new_link
from hythe.api.v1.session import Name, Password, SessionAnswer, sign_in
from hythe.api.v1.shapes import Answer, Body
from hythe.errors import InvalidValue
from hythe.model import User, Write, now

router = APIRouter(prefix="/setup", tags=["setup"])


class SetupAnswer(Answer):
    needed: bool = Field(description="Whether there is no user yet.")


class SetupLink(Answer):
    url: str = Field(description="It works once. The code is in its fragment.")
    expires_at: datetime


class NewUser(Body):
    code: Annotated[str, Field(min_length=1, max_length=200)]
    name: Name
    password: Password


@router.get("", summary="Tell whether there is a user")
def show_setup(context: CurrentContext) -> SetupAnswer:
    with context.database.read() as session:
        return SetupAnswer(needed=session.scalar(select(User.id).limit(1)) is None)


@router.post("/link", status_code=201, summary="Make a set-up link", dependencies=[needs("manage")])
def create_setup_link(context: CurrentContext, actor: CurrentActor) -> SetupLink:
    with context.database.write() as tx:
        url, expires_at = new_link(tx, context.settings)
        tx.note("setup.link", "Make a set-up link", actor=actor.name)
    return SetupLink(url=url, expires_at=expires_at)


@router.post("", status_code=201, summary="Make the first user, or set a new password")
def set_up(
    body: NewUser, request: Request, response: Response, context: CurrentContext
) -> SessionAnswer:
    with context.database.read() as session:
        find_code(session, body.code)  # before the expensive part, and again below
    password_hash = passwords.hashed(passwords.check(body.password))
    with context.database.write() as tx:
        find_code(tx, body.code).used_at = now()
        user = _user(tx, body.name, password_hash)
        return sign_in(tx, context, user, request, response)


def _user(tx: Write, name: str, password_hash: str) -> User:
    """The first user, made; or the one of this name, with a new password and no session."""
    known = {user.name: user for user in tx.scalars(select(User))}
    if not known:
        user = User(name=names.user_name(name), password_hash=password_hash)
        tx.add(user)
        tx.flush()
        tx.note("user.create", f"Make the user {user.name}", actor=user.name)
        return user
    if name not in known:
        raise InvalidValue(
            f"There is no user '{name}', and the link makes only the first one.",
            f"Set a new password for: {', '.join(sorted(known))}.",
        )
    user = known[name]
    user.password_hash = password_hash
    sessions.end_all(tx, user)
    tx.note("user.password", f"Set a new password for {user.name}", actor=user.name)
    return user
