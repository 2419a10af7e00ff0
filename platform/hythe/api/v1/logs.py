"""The app's log: its last lines, and new ones as they come."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, Field

from hythe.api.context import CurrentContext
from hythe.api.streams import EventStream, LastEventId, log_events
from hythe.api.v1.apps import app_exists, find_app
from hythe.api.v1.shapes import Answer, Items
from hythe.errors import InvalidValue
from hythe.observe.line import Cursor, LogFilter, LogLine, LogSource
from hythe.observe.reader import Following

router = APIRouter(prefix="/apps/{app}/logs", tags=["logs"])

Count = Annotated[int, Query(ge=0, le=10_000, description="How many of the last lines.")]


class LogAnswer(Answer):
    time: datetime
    source: LogSource
    process: str = Field(examples=["web"])
    instance: str = Field(examples=["web.1"])
    release: str = Field(description="Such as v7; empty where no release counts.")
    stream: str = Field(description="stdout, stderr, or empty.")
    request_id: str = Field(description="Of a router's line; else empty.")
    text: str
    cursor: str = Field(description="The place after this line; `after` takes it.")


def _filter(
    process: Annotated[str | None, Query(max_length=63)] = None,
    instance: Annotated[str | None, Query(max_length=80, description="Such as web.1.")] = None,
    source: Annotated[
        LogSource | Literal["all"] | None,
        Query(description="Without it, all but build: what a pusher has seen already."),
    ] = None,
    release: Annotated[str | None, Query(max_length=20, description="Such as v7.")] = None,
    request_id: Annotated[
        str | None, Query(max_length=200, description="Of the router's line, or in the text.")
    ] = None,
    text: Annotated[str | None, Query(max_length=1000, description="Is in the line.")] = None,
    since: Annotated[
        AwareDatetime | None, Query(description="Lines of this time or later.")
    ] = None,
    until: Annotated[AwareDatetime | None, Query(description="Lines before this time.")] = None,
) -> LogFilter:
    if release is not None and release.isdigit():
        release = f"v{release}"
    return LogFilter(
        process=process,
        instance=instance,
        source=None if source == "all" else source,
        release=release,
        request_id=request_id or None,
        text=text or None,
        since=None if since is None else since.timestamp(),
        until=None if until is None else until.timestamp(),
        builds=source == "all",
    )


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
    "`Last-Event-ID` goes before that. `missed` says how many lines the log dropped before they "
    "were read, `gone` that the app is destroyed.",
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

    def first() -> list[LogLine]:
        return [] if after is not None else context.logs.tail(app_id, n, only, start)

    def following() -> Following:
        return context.logs.follow(app_id, start, only)

    def exists() -> bool:
        with context.database.read() as session:
            return app_exists(session, app_id)

    return EventStream(log_events(first, following, _encode, exists))


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
        process=line.process,
        instance=line.instance,
        release=line.release,
        stream=line.stream,
        request_id=line.request_id,
        text=line.text,
        cursor=str(line.cursor),
    )
