"""Tokens: who may use the API."""

from datetime import datetime
from typing import Annotated, cast

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from hythe.api.actor import Scope
from hythe.api.auth import CurrentActor, needs
from hythe.api.context import CurrentContext
from hythe.api.tokens import mint
from hythe.api.v1.shapes import Answer, Body, Items
from hythe.errors import NotFound
from hythe.model import Token, Write, now

router = APIRouter(prefix="/tokens", tags=["tokens"], dependencies=[needs("manage")])


class NewToken(Body):
    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
    scope: Scope = "manage"


class TokenAnswer(Answer):
    id: int
    name: str
    scope: Scope
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class MintedToken(TokenAnswer):
    token: str = Field(description="The secret. It is shown once and not kept.")


def revoke(tx: Write, token_id: int, actor: str) -> None:
    """Make a token useless from the next request on; raises NotFound. Twice is not an error."""
    token = tx.get(Token, token_id)
    if token is None:
        raise NotFound(f"There is no token {token_id}.", "List them: `hythe tokens`.")
    if token.revoked_at is None:
        token.revoked_at = now()
        tx.note("token.revoke", f"Revoke {token.name}", actor=actor, token=token.id)


@router.get("", summary="List tokens, revoked ones too")
def list_tokens(context: CurrentContext) -> Items[TokenAnswer]:
    with context.database.read() as session:
        rows = session.scalars(select(Token).order_by(Token.id)).all()
    return Items(items=[_answer(row) for row in rows])


@router.post("", status_code=201, summary="Make a token")
def create_token(body: NewToken, context: CurrentContext, actor: CurrentActor) -> MintedToken:
    with context.database.write() as tx:
        row, secret = mint(tx, body.name, body.scope)
        tx.note("token.create", f"Make token {row.name}", actor=actor.name, token=row.id)
    return MintedToken(**_answer(row).model_dump(), token=secret)


@router.delete("/{token_id}", status_code=204, summary="Revoke a token")
def revoke_token(token_id: int, context: CurrentContext, actor: CurrentActor) -> None:
    with context.database.write() as tx:
        revoke(tx, token_id, actor.name)


def _answer(row: Token) -> TokenAnswer:
    return TokenAnswer(
        id=row.id,
        name=row.name,
        scope=cast(Scope, row.scope),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
