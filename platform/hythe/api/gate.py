"""The gate in front of all endpoints: host, token and size of every request.

It stands before routing, so that nothing can be reached without it, whether an endpoint remembers
to ask or not. Only /healthz passes without a token.
"""

import re

from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hythe.api import problems
from hythe.api.auth import secret_of
from hythe.api.context import Context
from hythe.api.tokens import authenticate
from hythe.errors import HytheError, TooLarge, Unauthorized, WrongHost

OPEN_PATHS = frozenset({"/healthz"})
JSON = "application/json"
JSON_LIMIT = 1024 * 1024
_UPLOAD = re.compile(r"/v1/apps/[^/]+/deployments")


class Gate:
    """ASGI middleware. Puts the actor of a request into its state."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context
        self._hosts = {"127.0.0.1", "localhost", "[::1]", f"hythe.{context.settings.domain}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return None  # no endpoint speaks anything else
        path: str = scope["path"]
        headers = Headers(scope=scope)
        try:
            self._check_host(headers.get("host", ""))
            if path not in OPEN_PATHS:
                secret = secret_of(headers.get("authorization", ""))
                actor = await run_sync(authenticate, self._context.database, secret)
                scope.setdefault("state", {})["actor"] = actor
            receive = self._limited(path, headers, receive)
        except HytheError as error:
            answer = problems.response(error, path, _challenge(error, path))
            return await answer(scope, receive, send)
        return await self._app(scope, receive, send)

    def _check_host(self, value: str) -> None:
        """Refuse other names, so that a web page cannot rebind its own name to this address."""
        host = re.sub(r":\d+$", "", value).lower()
        if host not in self._hosts:
            raise WrongHost(f"The control plane does not answer to '{host[:80]}'.")

    def _limited(self, path: str, headers: Headers, receive: Receive) -> Receive:
        """receive, for a body of bounded size; git's own limit has better words for a pusher."""
        if problems.is_git(path):
            return receive
        as_json = headers.get("content-type", "").strip().lower().startswith(JSON)
        upload = _UPLOAD.fullmatch(path) and not as_json
        limit = self._context.settings.upload_limit if upload else JSON_LIMIT
        if _declared_length(headers) > limit:
            raise TooLarge(_over(limit))
        return _counted(receive, limit)


def _challenge(error: HytheError, path: str) -> dict[str, str]:
    """git asks its credential helper when it is challenged; browsers should not pop up a dialog."""
    if not isinstance(error, Unauthorized):
        return {}
    scheme = "Basic" if problems.is_git(path) else "Bearer"
    return {"WWW-Authenticate": f'{scheme} realm="hythe"'}


def _declared_length(headers: Headers) -> int:
    value = headers.get("content-length", "0")
    return int(value) if value.isdecimal() else 0


def _counted(receive: Receive, limit: int) -> Receive:
    """The same messages, up to limit bytes of body: the length need not be declared."""
    seen = 0

    async def counting() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise HTTPException(TooLarge.status, _over(limit))
        return message

    return counting


def _over(limit: int) -> str:
    return f"The request is over the limit of {limit:,} bytes."
