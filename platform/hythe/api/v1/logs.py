"""The app's log: its last lines, and new ones as they come."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from hythe.api.context import CurrentContext
from hythe.api.streams import EventStream, LastEventId, log_events
from hythe.api.v1.apps import app_exists, find_app
from hythe.api.v1.shapes import Answer, Items
from hythe.errors import InvalidValue
from hythe.observe.line import Cursor, LogFilter, LogLine, LogSource

router = APIRouter(prefix="/apps/{app}/logs", tags=["logs"])

Count = Annotated[int, Query(ge=0, le=10_000, description="How many of the last lines.")]


class LogAnswer(Answer):
    time: datetime
    source: LogSource
    instance: str = Field(examples=["web.1"])
    release: str = Field(description="Such as v7; empty where no release counts.")
    stream: str = Field(description="stdout, stderr, or empty.")
    text: str
    cursor: str = Field(description="The place after this line; `after` takes it.")


def _filter(
    process: Annotated[str | None, Query(max_length=63)] = None,
    instance: Annotated[str | None, Query(max_length=80, description="Such as web.1.")] = None,
    source: LogSource | None = None,
) -> LogFilter:
    return LogFilter(process=process, instance=instance, source=source)


Filter = Annotated[LogFilter, Depends(_filter)]


@router.get("", summary="The last lines")
def show_logs(app: str, only: Filter, context: CurrentContext, n: Count = 100) -> Items[LogAnswer]:
    with context.database.read() as session:
        app_id = find_app(session, app).id
    return Items(items=[_answer(line) for line in context.logs.tail(app_id, n, only)])


@router.get(
    "/follow",
    summary="The last lines, and those that follow",
    description="Server-sent events: `log` for each line. Its id is the cursor to resume `after`; "
    "`Last-Event-ID` goes before that. `gone` says that the app is destroyed.",
    response_class=EventStream,
)
def follow_logs(
    app: str,
    only: Filter,
    context: CurrentContext,
    n: Count = 100,
    after: Annotated[str | None, Query(max_length=60, description="Resume after it.")] = None,
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    with context.database.read() as session:
        app_id = find_app(session, app).id
    after = last_event_id or after
    start = _cursor(after) if after is not None else context.logs.end(app_id)
    first = [] if after is not None else context.logs.tail(app_id, n, only, start)

    def read(cursor: Cursor) -> tuple[Sequence[LogLine], Cursor]:
        return context.logs.read(app_id, cursor, only)

    def exists() -> bool:
        with context.database.read() as session:
            return app_exists(session, app_id)

    return EventStream(log_events(first, start, read, _encode, exists))


def _cursor(text: str) -> Cursor:
    try:
        return Cursor.parse(text)
    except ValueError:
        raise InvalidValue(f"'{text}' is not a cursor.", "Pass a line's `cursor`.") from None


def _encode(line: LogLine) -> str:
    return _answer(line).model_dump_json()


def _answer(line: LogLine) -> LogAnswer:
    return LogAnswer(
        time=datetime.fromtimestamp(line.time, UTC),
        source=line.source,
        instance=line.instance,
        release=line.release,
        stream=line.stream,
        text=line.text,
        cursor=str(line.cursor),
    )
