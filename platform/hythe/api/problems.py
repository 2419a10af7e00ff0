"""Errors as problem+json (RFC 9457), one shape for everything that goes wrong."""

import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from hythe import logs
from hythe.errors import (
    BadMethod,
    HytheError,
    InvalidValue,
    NotFound,
    PlatformError,
    TooLarge,
    TooManyAttempts,
)

_GIT = re.compile(r"/[^/]+\.git/")

log = logs.get(__name__)


class Problem(BaseModel):
    """What went wrong, why, and what to do about it."""

    type: str = Field(description="Explains the code.", examples=["/docs/errors#not-found"])
    title: str = Field(examples=["There is no such thing"])
    status: int = Field(examples=[404])
    detail: str = Field(description="The cause.", examples=["There is no app 'shop'."])
    code: str = Field(description="Stable; see the error reference.", examples=["not-found"])
    fix: str = Field(examples=["List what exists with `hythe apps`."])


def is_git(path: str) -> bool:
    """Whether a git client asks."""
    return _GIT.match(path) is not None


def response(error: HytheError, path: str, headers: dict[str, str] | None = None) -> Response:
    """The answer for an error. git shows its user plain text only."""
    kind = type(error)
    if is_git(path):
        return PlainTextResponse(f"{error.cause}\n{error.fix}\n", kind.status, headers)
    problem = Problem(
        type=f"/docs/errors#{kind.code}",
        title=(kind.__doc__ or kind.__name__).strip().splitlines()[0].rstrip("."),
        status=kind.status,
        detail=error.cause,
        code=kind.code,
        fix=error.fix,
    )
    return JSONResponse(
        problem.model_dump(), kind.status, headers, media_type="application/problem+json"
    )


def install(app: FastAPI) -> None:
    """Make the app answer every error as a problem."""
    app.add_exception_handler(HytheError, _hythe_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Exception, _crash)


def _hythe_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HytheError)
    wait = error.retry_after if isinstance(error, TooManyAttempts) else None
    headers = {"Retry-After": str(wait)} if wait is not None else None
    return response(error, request.url.path, headers)


def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        invalid = InvalidValue("The body is not valid JSON.", "Send a JSON object.")
    else:
        cause = f"{_where(first['loc'])}: {first['msg'].rstrip('.')}."
        invalid = InvalidValue(cause, "See the API reference for what this request takes.")
    return response(invalid, request.url.path)


def _where(loc: tuple[Any, ...]) -> str:
    """A pydantic location such as ("body", "vars", "A") as `vars.A`."""
    return ".".join(str(part)[:80] for part in loc[1:]) or str(loc[0])


def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            cause = f"There is nothing at {path[:200]}."
            known: HytheError = NotFound(cause, "See the API reference for the addresses.")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            known = BadMethod()
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            known = TooLarge(error.detail)
        case _:
            known = InvalidValue(error.detail)
    return response(known, path, dict(error.headers or {}))


def _crash(request: Request, error: Exception) -> Response:
    log.error("request failed", method=request.method, path=request.url.path, error=repr(error))
    return response(PlatformError("Hythe failed on this request."), request.url.path)
