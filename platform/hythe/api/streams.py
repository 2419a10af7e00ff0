"""Streams of server-sent events.

They are the asynchronous part of the API: a follower may stay for hours and must not hold a thread.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence

from anyio.to_thread import run_sync
from fastapi.responses import StreamingResponse

from hythe.observe.line import Cursor, LogLine
from hythe.transcript import Transcript

LINES_SECONDS = 0.03
STATE_SECONDS = 0.1
KEEP_ALIVE_SECONDS = 15.0


class EventStream(StreamingResponse):
    """A text/event-stream answer that no proxy should hold back."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[str], status_code: int = 200) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(content, status_code, headers)


def event(kind: str, data: str) -> str:
    """One event; data may hold several lines."""
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"event: {kind}\n{lines}\n"


KEEP_ALIVE = ": still here\n\n"


async def deployment_events(
    transcript: Transcript, current: Callable[[], tuple[bool, str]]
) -> AsyncIterator[str]:
    """`line` events for the transcript as it grows, then one `end` with the deployment.

    current() tells whether the deployment has ended, and the deployment as JSON. Its writers write
    their last line before they end it, so what is read after the end is complete.
    """
    offset, asked, said = 0, 0.0, time.monotonic()
    ended, document = False, ""
    while True:
        was_ended = ended
        text, offset = await run_sync(transcript.read, offset)
        if text:
            yield "".join(event("line", line) for line in text.splitlines())
            said = time.monotonic()
        elif was_ended:
            yield event("end", document)
            return
        elif time.monotonic() - asked > STATE_SECONDS:
            ended, document = await run_sync(current)
            asked = time.monotonic()
        else:
            await asyncio.sleep(LINES_SECONDS)
        if time.monotonic() - said > KEEP_ALIVE_SECONDS:
            yield KEEP_ALIVE
            said = time.monotonic()


async def log_events(
    first: Sequence[LogLine],
    cursor: Cursor,
    read: Callable[[Cursor], tuple[Sequence[LogLine], Cursor]],
    encode: Callable[[LogLine], str],
) -> AsyncIterator[str]:
    """`log` events for the lines in `first`, then for what read() finds after cursor, for ever."""
    lines, said = first, time.monotonic()
    while True:
        if lines:
            yield "".join(f"id: {line.cursor}\n{event('log', encode(line))}" for line in lines)
            said = time.monotonic()
        elif time.monotonic() - said > KEEP_ALIVE_SECONDS:
            yield KEEP_ALIVE
            said = time.monotonic()
        lines, after = await run_sync(read, cursor)
        if after == cursor:
            await asyncio.sleep(LINES_SECONDS)
        cursor = after
