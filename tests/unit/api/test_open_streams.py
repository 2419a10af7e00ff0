"""Why streams end before their readers want them to, and why not."""

import asyncio
from collections.abc import Iterator

import coroutines
import pytest
from starlette.types import Message, Send

from hythe.api import open_streams
from hythe.api.open_streams import OpenStreams
from hythe.errors import DatabaseAway, Unauthorized


def test_a_database_that_is_away_ends_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can say whether the reader is still signed in; who signed out is found later."""
    monkeypatch.setattr(open_streams, "RECHECK_SECONDS", 0.01)
    answers: Iterator[Exception] = iter([DatabaseAway(), DatabaseAway(), Unauthorized()])
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def answer(send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(60)

    def recheck() -> None:
        raise next(answers)

    coroutines.run(OpenStreams().guard(answer, send, recheck))
    assert next(answers, None) is None
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
