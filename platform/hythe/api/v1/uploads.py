"""Uploads: the working directory as a tarball, deployed like a push."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from anyio import from_thread
from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request

from hythe.api.auth import CurrentActor, needs
from hythe.api.context import Context, CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.deployments import DeploymentAnswer, describe
from hythe.errors import InvalidValue

router = APIRouter(prefix="/apps/{app}/deployments", tags=["deployments"])

MEDIA_TYPES = ("application/gzip", "application/x-tar")
_TARBALL = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES}

Message = Annotated[str, Query(max_length=200, description="What the release list shows.")]


@router.post(
    "",
    status_code=202,
    summary="Deploy a tarball",
    dependencies=[needs("deploy")],
    openapi_extra={"requestBody": {"required": True, "content": _TARBALL}},
)
async def deploy_tarball(
    app: str, request: Request, context: CurrentContext, actor: CurrentActor, message: Message = ""
) -> DeploymentAnswer:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in MEDIA_TYPES:
        raise InvalidValue(
            f"The upload is '{kind[:60]}', not a tarball.",
            f"Send it as {' or '.join(MEDIA_TYPES)}.",
        )
    return await run_sync(_take_in, context, app, request.stream(), actor.name, message)


def _take_in(
    context: Context, app: str, stream: AsyncIterator[bytes], actor: str, message: str
) -> DeploymentAnswer:
    with context.database.read() as session:
        app_id = find_app(session, app).id
    deployment = context.source.upload(app_id, _chunks(stream), actor, message or None)
    with context.database.read() as session:
        return describe(session, deployment)


def _chunks(stream: AsyncIterator[bytes]) -> Iterator[bytes]:
    """A request's body, for a worker thread to read."""

    async def following() -> bytes | None:
        return await anext(stream, None)

    while (chunk := from_thread.run(following)) is not None:
        yield chunk
