"""The session of somebody who signs in with a browser."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy import select

from hythe import logs
from hythe.api import passwords, sessions
from hythe.api.auth import CurrentActor, CurrentSession, Visitor
from hythe.api.context import Context, CurrentContext
from hythe.api.v1.shapes import Answer, Body
from hythe.errors import WrongPassword
from hythe.model import User, Write

router = APIRouter(prefix="/session", tags=["session"])

log = logs.get(__name__)

Name = Annotated[str, Field(min_length=1, max_length=64)]
Password = Annotated[str, Field(max_length=4096)]


class SignIn(Body):
    name: Name
    password: Password


class UserAnswer(Answer):
    name: str


class SessionAnswer(Answer):
    user: UserAnswer
    csrf_token: str = Field(description="Send it as X-CSRF-Token with all that is not a GET.")


class VisitorAnswer(Answer):
    user: UserAnswer | None = Field(description="Null where nobody is signed in.")
    csrf_token: str = Field(description="Empty where nobody is signed in.")


def sign_in(
    tx: Write, context: Context, user: User, request: Request, response: Response
) -> SessionAnswer:
    """Open a session and set its cookie."""
    installation, scheme = context.names.installation, request.url.scheme
    before = request.cookies.get(sessions.cookie_name(installation, scheme))
    secret = sessions.open_session(tx, user, before)
    sessions.set_cookie(response, installation, secret, scheme)
    tx.note("session.start", f"{user.name} signed in", actor=user.name)
    return _answer(user.name, secret)


@router.get("", summary="Show who is signed in, if anybody is")
def show_session(visitor: Visitor) -> VisitorAnswer:
    if visitor is None:
        return VisitorAnswer(user=None, csrf_token="")
    actor, secret = visitor
    return VisitorAnswer(user=UserAnswer(name=actor.name), csrf_token=sessions.csrf_token(secret))


@router.post("", status_code=201, summary="Sign in")
def start_session(
    body: SignIn, request: Request, response: Response, context: CurrentContext
) -> SessionAnswer:
    peer = request.client.host if request.client else ""
    context.sign_ins.admit(body.name, peer)
    with context.database.read() as session:
        known = session.scalar(select(User.password_hash).where(User.name == body.name))
    if not passwords.matches(known, body.password):
        log.info("sign-in refused", peer=peer)
        raise WrongPassword()
    context.sign_ins.forgive(body.name, peer)
    with context.database.write() as tx:
        user = tx.scalar(select(User).where(User.name == body.name))
        if user is None or user.password_hash != known:
            raise WrongPassword()  # it changed while the password was checked
        return sign_in(tx, context, user, request, response)


@router.delete("", status_code=204, summary="Sign out")
def end_session(
    request: Request,
    response: Response,
    context: CurrentContext,
    actor: CurrentActor,
    secret: CurrentSession,
) -> None:
    with context.database.write() as tx:
        sessions.end_session(tx, secret)
        tx.note("session.end", f"{actor.name} signed out", actor=actor.name)
    sessions.clear_cookie(response, context.names.installation, request.url.scheme)


def _answer(name: str, secret: str) -> SessionAnswer:
    return SessionAnswer(user=UserAnswer(name=name), csrf_token=sessions.csrf_token(secret))
