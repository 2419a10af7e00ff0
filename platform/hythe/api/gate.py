"""The gate in front of all endpoints: host, credential, origin and size of every request.

It stands before routing, so that nothing can be reached without it, whether an endpoint remembers
to ask or not. What passes without a credential is listed in OPEN; the dashboard's own files, which
hold nothing secret, pass too.
"""

import hmac
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from anyio.to_thread import run_sync
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hythe.api import problems, sessions, site, tokens
from hythe.api.auth import secret_of
from hythe.api.context import Context
from hythe.errors import CrossSite, HytheError, TooLarge, Unauthorized, WrongHost

OPEN = frozenset(
    {
        ("GET", "/healthz"),
        ("GET", "/v1/setup"),
        ("POST", "/v1/setup"),
        ("POST", "/v1/session"),
    }
)
VISITOR = ("GET", "/v1/session")
"""Answers who is signed in, if anybody is; a browser asks it before it knows."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF = "csrf."
"""With a WebSocket the session's CSRF token is offered as a subprotocol, `csrf.TOKEN`."""
JSON = "application/json"
JSON_LIMIT = 1024 * 1024
_UPLOAD = re.compile(r"/v1/apps/[^/]+/deployments")

Recheck = Callable[[], object]
"""Raises Unauthorized once a request's credential no longer counts; blocks on the database."""


class Gate:
    """ASGI middleware. Puts the actor of a request into its state, and the session's secret."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context
        self._hosts = set(context.settings.api_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] == "websocket":
            return await self._open_socket(scope, receive, send)
        if scope["type"] != "http":
            return None  # no endpoint speaks anything else
        path: str = scope["path"]
        headers = Headers(scope=scope)
        send = _hardened(send)
        recheck: Recheck | None = None
        try:
            self._check_host(headers.get("host", ""))
            if (scope["method"], path) in OPEN:
                _check_origin(scope, headers)
            elif (scope["method"], path) == VISITOR:
                _check_origin(scope, headers)
                with suppress(Unauthorized):
                    await self._identify(scope, headers)
            elif not site.is_page(scope):
                recheck = await self._identify(scope, headers)
            receive = self._limited(path, headers, receive)
        except HytheError as error:
            answer = problems.response(error, path, _challenge(error, path))
            return await answer(scope, receive, send)
        if recheck and path.endswith("/follow"):
            guard = self._context.open_streams.guard
            return await guard(partial(self._app, scope, receive), send, recheck)
        return await self._app(scope, receive, send)

    async def _open_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A WebSocket: all of them need a credential. Endpoints find `recheck` in the state."""
        headers = Headers(scope=scope)
        try:
            self._check_host(headers.get("host", ""))
            scope.setdefault("state", {})["recheck"] = await self._identify(scope, headers)
        except HytheError as error:
            answer = problems.response(error, scope["path"], _challenge(error, scope["path"]))
            return await answer(scope, receive, _hardened(send))
        return await self._app(scope, receive, _hardened(send))

    def _check_host(self, value: str) -> None:
        """Refuse other names, so that a web page cannot rebind its own name to this address."""
        host = re.sub(r":\d+$", "", value).lower()
        if host in self._hosts:
            return
        certificate = self._context.certificate()
        if certificate is None or not certificate.covers(host):
            raise WrongHost(f"The control plane does not answer to '{host[:80]}'.")

    async def _identify(self, scope: Scope, headers: Headers) -> Recheck:
        """Find who asks: by the token, or else by the cookie of a browser, never for git."""
        database = self._context.database
        state = scope.setdefault("state", {})
        name = sessions.cookie_name(self._context.names.installation, _scheme(scope))
        cookie = cookie_parser(headers.get("cookie", "")).get(name)
        if "authorization" in headers or not cookie or problems.is_git(scope["path"]):
            secret = secret_of(headers.get("authorization", ""))
            state["actor"] = await run_sync(tokens.authenticate, database, secret)
            return partial(tokens.recognise, database, secret)
        state["actor"] = await run_sync(sessions.authenticate, database, cookie)
        state["session"] = cookie
        _check_origin(scope, headers)
        if scope["type"] == "websocket":
            _check_csrf_token(_subprotocol(scope, CSRF), cookie)
        elif scope["method"] not in SAFE_METHODS:
            _check_csrf_token(headers.get("x-csrf-token", ""), cookie)
        return partial(sessions.recognise, database, cookie)

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


def _check_origin(scope: Scope, headers: Headers) -> None:
    """Refuse what a page of another origin sends; only browsers say where a request is from.

    With a WebSocket each browser says it, and none keeps other pages from opening one.
    """
    socket = scope["type"] == "websocket"
    site_said = headers.get("sec-fetch-site", "same-origin")
    typed = site_said == "none" and not socket and scope["method"] in SAFE_METHODS  # an address bar
    if site_said != "same-origin" and not typed:
        raise CrossSite()
    own = f"{_scheme(scope)}://{headers.get('host', '')}"
    if headers.get("origin", "" if socket else own).lower() != own.lower():
        raise CrossSite()


def _scheme(scope: Scope) -> str:
    """http or https, also of a WebSocket."""
    scheme: str = scope["scheme"]
    return {"ws": "http", "wss": "https"}.get(scheme, scheme)


def _subprotocol(scope: Scope, prefix: str) -> str:
    """The rest of the offered subprotocol that begins so: a browser can send no header here."""
    offered: list[str] = scope["subprotocols"]
    return next((each.removeprefix(prefix) for each in offered if each.startswith(prefix)), "")


def _check_csrf_token(given: str, cookie: str) -> None:
    if not hmac.compare_digest(given.encode(), sessions.csrf_token(cookie).encode()):
        raise CrossSite("The request lacks the session's CSRF token.")


def _hardened(send: Send) -> Send:
    """send, with the headers that keep a browser from making more of an answer than it is."""

    async def hardened(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Content-Security-Policy", site.NOTHING)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return hardened


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
