"""git's smart HTTP: where `git push` arrives."""

from typing import Annotated, cast

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hythe.api.actor import Actor
from hythe.api.auth import CurrentActor
from hythe.api.context import Context, CurrentContext
from hythe.api.v1.apps import find_app
from hythe.source.git_http import (
    Exchange,
    Service,
    advertise,
    advertisement_type,
    service,
)
from hythe.source.repository import Repository

router = APIRouter(prefix="/{app}.git", include_in_schema=False)


class _Handover(Response):
    """An answer that another ASGI application gives."""

    def __init__(self, to: ASGIApp) -> None:
        super().__init__()
        self._to = to

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._to(scope, receive, send)


@router.get("/info/refs")
async def show_refs(
    app: str,
    wanted: Annotated[str, Query(alias="service", max_length=40)],
    request: Request,
    context: CurrentContext,
    actor: CurrentActor,
) -> Response:
    named = service(wanted)
    _allow(actor, named)
    repository = await run_sync(_repository, context, app)
    refs = await advertise(repository, named, request.headers.get("git-protocol", ""))
    headers = {"Cache-Control": "no-cache, max-age=0, must-revalidate"}
    return Response(refs, media_type=advertisement_type(named), headers=headers)


@router.post("/{wanted}")
async def exchange(
    app: str, wanted: str, request: Request, context: CurrentContext, actor: CurrentActor
) -> Response:
    named = service(wanted)
    _allow(actor, named)
    repository = await run_sync(_repository, context, app)
    to = Exchange(
        context.settings,
        repository,
        named,
        actor.name,
        protocol=request.headers.get("git-protocol", ""),
        encoding=request.headers.get("content-encoding", ""),
    )
    return _Handover(cast(ASGIApp, to))


def _allow(actor: Actor, named: Service) -> None:
    actor.require("deploy" if named == "git-receive-pack" else "read")


def _repository(context: Context, name: str) -> Repository:
    """The app's repository, made on the first use."""
    with context.database.read() as session:
        app = find_app(session, name)
    return context.source.repository(app)
