"""Events: what happened to apps and to the machine, and why."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from hythe.api.context import CurrentContext
from hythe.api.live import POLL_SECONDS, Changes
from hythe.api.streams import (
    KEEP_ALIVE_SECONDS,
    RETRY,
    EventStream,
    LastEventId,
    event,
    still_here,
)
from hythe.api.v1.shapes import Answer, Items
from hythe.errors import InvalidValue, NotFound
from hythe.model import App, Event

router = APIRouter(prefix="/events", tags=["events"])

BATCH = 500  # events that a follower is sent at once
_SAID = ("app", "app_name", "fix")  # parts of `data` that are fields of the answer

About = Annotated[
    str | None, Query(max_length=100, description="Of this app only, also when it is gone.")
]
Kind = Annotated[
    str | None,
    Query(max_length=60, description="Such as deploy.failed; `deploy` is all that begins so."),
]
Count = Annotated[int, Query(ge=0, le=1000, description="How many of the newest.")]


class EventAnswer(Answer):
    id: int
    at: datetime
    kind: str = Field(examples=["deploy.live"])
    app: str | None = Field(description="The app's name; null is the machine.")
    actor: str = Field(description="Who did it; `hythe` itself, or a person or token.")
    message: str
    fix: str | None = Field(description="What to do about it, where something is to be done.")
    data: dict[str, Any] = Field(description="Particulars, by kind.")


@router.get("", summary="List events")
def list_events(
    context: CurrentContext,
    app: About = None,
    kind: Kind = None,
    n: Count = 50,
    before: Annotated[int | None, Query(description="Older than this id.")] = None,
) -> Items[EventAnswer]:
    """The newest, oldest first. They are kept for 90 days."""
    with context.database.read() as session:
        wanted = _wanted(session, app, kind)
        if before is not None:
            wanted.append(Event.id < before)
        newest = select(Event).where(*wanted).order_by(Event.id.desc()).limit(n)
        rows = session.scalars(newest).all()
    return Items(items=[_answer(row) for row in reversed(rows)])


@router.get(
    "/follow",
    summary="The newest events, and those that follow",
    description="Server-sent events: `event` for each. Its id is that of the event, to resume "
    "`after`; `Last-Event-ID` goes before that.",
    response_class=EventStream,
)
def follow_events(
    context: CurrentContext,
    app: About = None,
    kind: Kind = None,
    n: Count = 50,
    after: Annotated[str | None, Query(max_length=60, description="Resume after it.")] = None,
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    place = _place(last_event_id or after)
    with context.database.read() as session:
        wanted = _wanted(session, app, kind)
        if place is None:
            newest = select(Event.id).where(*wanted).order_by(Event.id.desc()).offset(n).limit(1)
            place = session.scalar(newest) or 0

    def read(last: int) -> Sequence[Event]:
        with context.database.read() as session:
            later = select(Event).where(*wanted, Event.id > last).order_by(Event.id).limit(BATCH)
            return session.scalars(later).all()

    return EventStream(_events(place, read, context.live.changes))


async def _events(
    last: int, read: Callable[[int], Sequence[Event]], changes: Changes
) -> AsyncIterator[str]:
    """`event` events for what read() finds after an id. Ids are given in the order of commits."""
    yield f"{RETRY}id: {last}\n\n"
    silent = 0.0
    while True:
        seen = changes.count
        rows = await run_sync(read, last)
        if rows:
            yield "".join(event("event", _answer(row).model_dump_json(), row.id) for row in rows)
            last, silent = rows[-1].id, 0.0
        elif silent >= KEEP_ALIVE_SECONDS:
            yield still_here(last)
            silent = 0.0
        if seen == changes.count and len(rows) < BATCH:
            began = asyncio.get_running_loop().time()
            await changes.wait(POLL_SECONDS)
            silent += asyncio.get_running_loop().time() - began


def _wanted(session: Session, app: str | None, kind: str | None) -> list[ColumnElement[bool]]:
    """Raises NotFound for an app of which no event tells."""
    wanted: list[ColumnElement[bool]] = []
    if app is not None:
        app_id = session.scalar(select(App.id).where(App.name == app))
        gone = and_(Event.app_id.is_(None), Event.data["app_name"].as_string() == app)
        if app_id is None and session.scalar(select(Event.id).where(gone).limit(1)) is None:
            raise NotFound(f"There is no app '{app[:60]}'.")
        wanted.append(gone if app_id is None else or_(Event.app_id == app_id, gone))
    if kind is not None:
        below = Event.kind.startswith(f"{kind.rstrip('.')}.", autoescape=True)
        wanted.append(or_(Event.kind == kind, below))
    return wanted


def _place(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise InvalidValue(f"'{text}' is not the id of an event.", "Pass an event's `id`.")
    return int(text)


def _answer(row: Event) -> EventAnswer:
    return EventAnswer(
        id=row.id,
        at=row.created_at,
        kind=row.kind,
        app=row.data.get("app_name"),
        actor=row.actor,
        message=row.message,
        fix=row.data.get("fix"),
        data={key: value for key, value in row.data.items() if key not in _SAID},
    )
