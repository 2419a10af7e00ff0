"""Streams of server-sent events.

They are the asynchronous part of the API: a follower may stay for hours and must not hold a thread.
A follower that comes back with `Last-Event-ID` misses nothing and gets nothing twice.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import Header
from fastapi.responses import StreamingResponse

from hythe.api.live import Document
from hythe.errors import NotFound
from hythe.observe.line import LogLine
from hythe.observe.reader import Following
from hythe.observe.tail import Loss
from hythe.transcript import Transcript

LINES_SECONDS = 0.03
STATE_SECONDS = 0.1
EXISTS_SECONDS = 2.0
KEEP_ALIVE_SECONDS = 15.0

RETRY = "retry: 1000\n"  # ms: how soon a browser comes back when the stream ended

LastEventId = Annotated[
    str | None, Header(max_length=60, description="The id of the last event that arrived.")
]


class EventStream(StreamingResponse):
    """A text/event-stream answer that no proxy should hold back."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[str], status_code: int = 200) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(content, status_code, headers)


def event(kind: str, data: str, place: object = None) -> str:
    """One event; data may hold several lines, and place is its id."""
    lines = "".join(f"data: {line}\n" for line in re.split(r"\r\n|\r|\n", data))
    known = "" if place is None else f"id: {place}\n"
    return f"{known}event: {kind}\n{lines}\n"


GONE = event("gone", "{}")
"""The last event of a stream whose app is destroyed: do not come back."""


def still_here(place: object = None) -> str:
    """A comment, so that nobody takes the silence for an end; and the place that was read up to."""
    return ": still here\n" + ("\n" if place is None else f"id: {place}\n\n")


async def state_events(kind: str, document: Document) -> AsyncIterator[str]:
    """The whole document as one event, at once and whenever it differs; `gone` at its end."""
    versions = document.versions()
    yield f"{RETRY}\n"
    following = asyncio.ensure_future(anext(versions, None))
    try:
        while True:
            done, _ = await asyncio.wait([following], timeout=KEEP_ALIVE_SECONDS)
            if not done:
                yield still_here()
            elif (text := following.result()) is None:
                yield GONE
                return
            else:
                yield event(kind, text)
                following = asyncio.ensure_future(anext(versions, None))
    finally:
        following.cancel()


async def deployment_events(
    transcript: Transcript, offset: int, current: Callable[[], tuple[bool, str]]
) -> AsyncIterator[str]:
    """`line` events for the transcript after offset, then one `end` with the deployment.

    current() tells whether the deployment has ended, and the deployment as JSON; it raises NotFound
    once its app is destroyed. Its writers write their last line before they end it, so what is read
    after the end is complete.
    """
    yield f"{RETRY}\n"
    asked, said = 0.0, time.monotonic()
    ended, document = False, ""
    while True:
        was_ended = ended
        lines = await run_sync(transcript.lines, offset) if transcript.size > offset else []
        if lines:
            offset = lines[-1][1]
            yield "".join(event("line", line, after) for line, after in lines)
            said = time.monotonic()
        elif was_ended:
            yield event("end", document, offset)
            return
        elif time.monotonic() - asked > STATE_SECONDS:
            try:
                ended, document = await run_sync(current)
            except NotFound:
                yield GONE
                return
            asked = time.monotonic()
        else:
            await asyncio.sleep(LINES_SECONDS)
        if time.monotonic() - said > KEEP_ALIVE_SECONDS:
            yield still_here()
            said = time.monotonic()


async def log_events(
    first: Callable[[], Sequence[LogLine]],
    following: Callable[[], Following],
    encode: Callable[[LogLine], str],
    exists: Callable[[], bool],
) -> AsyncIterator[str]:
    """`log` events for the lines of first(), then for what following() reads; a `missed` event with
    a sentence where lines were dropped before they could be read.

    The answer begins before either is asked: a look for seldom lines takes a while. It ends with
    `gone` when the app that the log belongs to exists() no more.
    """
    yield f"{RETRY}\n"
    log = await run_sync(following)  # before the lines, or new ones could fall between the two
    yield "".join(_log_event(line, encode) for line in await run_sync(first))
    yield f"id: {log.cursor}\n\n"  # where to go on, even if no line has come until then
    said = asked = time.monotonic()
    while True:
        before = log.cursor
        lines = await run_sync(log.read)
        if log.missed:
            yield event("missed", str(log.missed))
            log.missed = Loss()
        if lines:
            yield "".join(_log_event(line, encode) for line in lines)
            said = time.monotonic()
        elif time.monotonic() - said > KEEP_ALIVE_SECONDS:
            yield still_here(log.cursor)
            said = time.monotonic()
        if time.monotonic() - asked > EXISTS_SECONDS:
            if not await run_sync(exists):
                yield GONE
                return
            asked = time.monotonic()
        if log.cursor == before:
            await asyncio.sleep(LINES_SECONDS)


def _log_event(line: LogLine, encode: Callable[[LogLine], str]) -> str:
    return event("log", encode(line), line.cursor)
