"""The streams that are open now, and why they end before their readers want them to."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import anyio
from anyio.to_thread import run_sync
from starlette.types import Message, Send

from hythe import logs
from hythe.errors import PlatformError, Unauthorized

RECHECK_SECONDS = 3.0

log = logs.get(__name__)


class OpenStreams:
    """Ends streams at shutdown, and when the reader signed out or lost the token.

    They end properly, not by a broken connection, so that a browser comes back by itself.
    """

    def __init__(self) -> None:
        self._scopes: dict[anyio.CancelScope, asyncio.AbstractEventLoop] = {}
        self._closed = False

    def close(self) -> None:
        """End all of them, now and from now on; any thread may call it."""
        self._closed = True
        for scope, loop in list(self._scopes.items()):
            loop.call_soon_threadsafe(scope.cancel)

    @contextmanager
    def holding(self, scope: anyio.CancelScope) -> Iterator[None]:
        """Let `close` cancel it; to be entered in the event loop."""
        self._scopes[scope] = asyncio.get_running_loop()
        if self._closed:
            scope.cancel()
        try:
            yield
        finally:
            del self._scopes[scope]

    async def guard(
        self,
        answer: Callable[[Send], Awaitable[None]],
        send: Send,
        recheck: Callable[[], object],
    ) -> None:
        """Let an endpoint answer, and end its answer when recheck raises Unauthorized."""
        begun = ended = False

        async def noting(message: Message) -> None:
            nonlocal begun, ended
            await send(message)
            begun = True
            ended = message["type"] == "http.response.body" and not message.get("more_body")

        async with anyio.create_task_group() as group:
            group.start_soon(_until_refused, recheck, group.cancel_scope)
            with self.holding(group.cancel_scope):
                await answer(noting)
            group.cancel_scope.cancel()
        if not begun:
            await send({"type": "http.response.start", "status": 503, "headers": []})
        if not ended:
            await send({"type": "http.response.body", "body": b""})


async def _until_refused(recheck: Callable[[], object], scope: anyio.CancelScope) -> None:
    while True:
        await anyio.sleep(RECHECK_SECONDS)
        try:
            await run_sync(recheck)
        except Unauthorized:
            return scope.cancel()
        except PlatformError as error:  # the database is away, so nobody can say: go on
            log.info("a stream's reader was not looked up again", error=error.cause)
