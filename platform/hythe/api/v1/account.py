"""Who the token of a request belongs to."""

from fastapi import APIRouter

from hythe.api.actor import Scope
from hythe.api.auth import CurrentActor
from hythe.api.v1.shapes import Answer

router = APIRouter(tags=["account"])


class Account(Answer):
    name: str
    scope: Scope


@router.get("/whoami", summary="Show whose token this is")
def whoami(actor: CurrentActor) -> Account:
    return Account(name=actor.name, scope=actor.scope)
