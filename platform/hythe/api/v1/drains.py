"""Drains: where an app's log is sent to."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from hythe.api.auth import CurrentActor, needs
from hythe.api.context import CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.shapes import Answer, Body, Items
from hythe.errors import Conflict, NotFound
from hythe.model import App, Drain, Vault, Write
from hythe.observe.drain import Progress
from hythe.observe.drain_url import LONGEST, DrainUrl
from hythe.observe.drains import load

router = APIRouter(prefix="/apps/{app}/drains", tags=["logs"])

MOST = 10  # of one app
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Status = Literal["starting", "sending", "failing"]


class NewDrain(Body):
    url: Annotated[str, Field(max_length=LONGEST)] = Field(
        description="syslog://HOST:PORT, syslog+tls://HOST:PORT, or an http(s) URL.",
        examples=["syslog+tls://logs.example.com:6514"],
    )


class DrainAnswer(Answer):
    id: int
    url: str = Field(description="Without its password and the values of its query.")
    status: Status
    error: str | None = Field(description="Why it fails.")
    failing_since: datetime | None
    sent: int = Field(description="Lines that were sent.")
    behind: int | None = Field(description="Lines that wait; null where that is not known.")
    dropped: int = Field(
        description="Lines that were not sent: the log dropped them before, or they were refused."
    )
    created_by: str
    created_at: datetime


def add(tx: Write, vault: Vault, app: App, text: str, actor: str) -> Drain:
    """A new drain, from the end of the log on; raises InvalidValue and Conflict."""
    url = DrainUrl.parse(text)
    known = _rows(tx, app)
    if any(vault.unseal(row.url) == text for row in known):
        raise Conflict(f"{app.name} has this drain already.", "There is nothing to do.")
    if len(known) >= MOST:
        raise Conflict(
            f"{app.name} has {MOST} drains, which is the most.",
            "Remove one: `hythe drains:remove`.",
        )
    row = Drain(app_id=app.id, shown=url.shown, url=vault.seal(text), created_by=actor)
    tx.add(row)
    tx.flush()
    tx.note("drain.add", f"Send the log to {url.shown}", actor=actor, app_id=app.id, drain=row.id)
    return row


def remove(tx: Write, app: App, number: int, actor: str) -> None:
    """Raises NotFound."""
    row = tx.get(Drain, number)
    if row is None or row.app_id != app.id:
        raise NotFound(f"{app.name} has no drain {number}.", "List them: `hythe drains`.")
    tx.delete(row)
    tx.note(
        "drain.remove",
        f"Send the log to {row.shown} no more",
        actor=actor,
        app_id=app.id,
        drain=number,
    )


@router.get("", summary="List drains, and how they do")
def list_drains(app: str, context: CurrentContext) -> Items[DrainAnswer]:
    with context.database.read() as session:
        found = find_app(session, app)
        rows = _rows(session, found)
    lines = context.logs.count(found.id) if rows else 0
    progress = load(context.settings) if rows else {}
    return Items(items=[_answer(row, progress.get(row.id), lines) for row in rows])


@router.post("", status_code=201, summary="Add a drain", dependencies=[needs("manage")])
def add_drain(
    app: str, body: NewDrain, context: CurrentContext, actor: CurrentActor
) -> DrainAnswer:
    with context.database.write() as tx:
        row = add(tx, context.vault, find_app(tx, app), body.url, actor.name)
    context.tell_collector()
    return _answer(row, None, 0)


@router.delete(
    "/{number}", status_code=204, summary="Remove a drain", dependencies=[needs("manage")]
)
def remove_drain(app: str, number: Number, context: CurrentContext, actor: CurrentActor) -> None:
    with context.database.write() as tx:
        remove(tx, find_app(tx, app), number, actor.name)
    context.tell_collector()


def _rows(session: Session, app: App) -> list[Drain]:
    return list(session.scalars(select(Drain).where(Drain.app_id == app.id).order_by(Drain.id)))


def _answer(row: Drain, progress: Progress | None, lines: int) -> DrainAnswer:
    """lines: of the app's log, ever."""
    at = progress or Progress("", None)
    status: Status = "failing" if at.error else "sending"
    return DrainAnswer(
        id=row.id,
        url=row.shown,
        status=status if progress else "starting",
        error=at.error or None,
        failing_since=datetime.fromtimestamp(at.since, UTC) if at.error else None,
        sent=at.sent,
        behind=None if at.seen is None else max(0, lines - at.seen),
        dropped=at.dropped,
        created_by=row.created_by,
        created_at=row.created_at,
    )
