"""Sleep: web instances that stop when no request comes for a while; the next one wakes them."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy.orm import Session

from hythe.api.auth import CurrentActor, needs
from hythe.api.context import CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.shapes import Answer, Body
from hythe.model import App, Sleep, now

router = APIRouter(prefix="/apps/{app}/sleep", tags=["instances"])

SHORTEST, LONGEST = 60, 30 * 86_400  # seconds


class SleepBody(Body):
    after: int = Field(ge=SHORTEST, le=LONGEST, description="Seconds without a request.")


class SleepAnswer(Answer):
    after: int | None = Field(description="Seconds without a request; null: it never sleeps.")
    state: Literal["awake", "drowsy", "asleep"] = Field(
        description="drowsy: new requests are held for some seconds, to see that none is open."
    )
    since: datetime | None


@router.get("", summary="Show when an app sleeps")
def show_sleep(app: str, context: CurrentContext) -> SleepAnswer:
    with context.database.read() as session:
        return _answer(session, find_app(session, app))


@router.put("", summary="Let an app sleep", dependencies=[needs("deploy")])
def let_sleep(
    app: str, body: SleepBody, context: CurrentContext, actor: CurrentActor
) -> SleepAnswer:
    with context.database.write() as tx:
        row = find_app(tx, app)
        sleep = tx.get(Sleep, row.id) or Sleep(app_id=row.id, state="awake", since=now())
        sleep.after = body.after
        tx.add(sleep)
        tx.flush()
        said = f"Sleep after {body.after / 60:.3g} min without a request"
        tx.note("sleep.set", said, actor=actor.name, app_id=row.id)
        tx.poke(row.id)
        return _answer(tx, row)


@router.delete("", summary="Keep an app awake", dependencies=[needs("deploy")])
def keep_awake(app: str, context: CurrentContext, actor: CurrentActor) -> SleepAnswer:
    with context.database.write() as tx:
        row = find_app(tx, app)
        sleep = tx.get(Sleep, row.id)
        if sleep is not None:
            tx.delete(sleep)
            tx.flush()
            tx.note("sleep.unset", "Never sleep", actor=actor.name, app_id=row.id)
            tx.poke(row.id)
        return _answer(tx, row)


def _answer(session: Session, app: App) -> SleepAnswer:
    row = session.get(Sleep, app.id)
    if row is None:
        return SleepAnswer(after=None, state="awake", since=None)
    return SleepAnswer.model_validate({"after": row.after, "state": row.state, "since": row.since})
