"""Deploying: a source and what is sent along with it become a deployment."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, Literal

from anyio import from_thread
from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from starlette.datastructures import FormData, UploadFile

from hythe.api.auth import CurrentActor, needs
from hythe.api.context import Context, CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.deployments import DeploymentAnswer, describe, find_deployment
from hythe.api.v1.shapes import Body
from hythe.errors import InvalidValue
from hythe.model import Deployment
from hythe.source.intake import Intake, Prepared, Sent
from hythe.transcript import Transcript

router = APIRouter(prefix="/apps/{app}/deployments", tags=["deployments"])

JSON = "application/json"
FORM = "multipart/form-data"
TARBALLS = ("application/gzip", "application/x-tar")
LAST_LINES = 50
LONGEST_WAIT = 3600  # seconds
LOOK_SECONDS = 0.2
BLOCK = 1 << 16

Message = Annotated[str, Query(max_length=200, description="What the release list shows.")]
Wait = Annotated[
    str | None,
    Query(
        pattern=r"^\d{0,4}$",
        description="Answer when the deployment has ended, at most after so many seconds.",
    ),
]


class ImageSource(Body):
    type: Literal["image"]
    image: str = Field(min_length=1, max_length=400, description="[HOST/]NAME[:TAG|@DIGEST]")


class GitSource(Body):
    type: Literal["git"]
    url: str = Field(min_length=1, max_length=1000, description="https, ssh, or USER@HOST:PATH")
    ref: str | None = Field(None, max_length=250, description="A branch, a tag or a commit.")


class CommitSource(Body):
    type: Literal["commit"]
    commit: str = Field(pattern=r"^[0-9a-f]{7,40}$", description="Of the app's repository.")


AnySource = Annotated[ImageSource | GitSource | CommitSource, Field(discriminator="type")]


class NewDeployment(Body):
    source: AnySource
    procfile: str | None = Field(None, description="Replaces the source's Procfile.")
    app_json: dict[str, Any] | None = Field(None, description="Replaces the source's app.json.")
    message: str | None = Field(None, max_length=200)


class DeploymentTaken(DeploymentAnswer):
    last_lines: list[str] = Field(
        description="The transcript's end, if it failed while the request waited."
    )


_FIELDS = {
    "type": "object",
    "required": ["source"],
    "properties": {
        "source": {"type": "string", "format": "binary", "description": "A tar or tar.gz."},
        "procfile": {"type": "string"},
        "app_json": {"type": "string"},
        "message": {"type": "string"},
    },
}
_CONTENT = {
    JSON: {"schema": {"$ref": f"#/components/schemas/{NewDeployment.__name__}"}},
    FORM: {"schema": _FIELDS},
    **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in TARBALLS},
}


@router.post(
    "",
    status_code=202,
    summary="Deploy a source",
    description="An image, a git URL or a commit as JSON; a tarball as the body, or in a form with "
    "`procfile` and `app_json`. With `wait` the answer is 200 once it has ended, whether well "
    "(`status` is `live`) or not (`error` has the cause and the fix).",
    dependencies=[needs("deploy")],
    openapi_extra={"requestBody": {"required": True, "content": _CONTENT}},
    responses={200: {"model": DeploymentTaken, "description": "It ended within `wait`."}},
)
async def deploy_source(
    app: str,
    request: Request,
    response: Response,
    context: CurrentContext,
    actor: CurrentActor,
    message: Message = "",
    wait: Wait = None,
) -> DeploymentTaken:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == JSON:
        body = _parse(await request.body())
        taken = await run_sync(_take_body, context, app, body, actor.name)
    elif kind == FORM:
        async with request.form(max_files=1, max_fields=8) as form:
            taken = await run_sync(_take_form, context, app, form, actor.name)
    elif kind in TARBALLS:
        blocks = chunks(request.stream())
        taken = await run_sync(
            _take_tarball, context, app, blocks, actor.name, Sent(message=message or None)
        )
    else:
        raise InvalidValue(
            f"The body is '{kind[:60]}', which is no source.",
            f"Send {JSON}, {FORM}, or a tarball as {' or '.join(TARBALLS)}.",
        )
    if wait is None:
        return DeploymentTaken(**taken.model_dump(), last_lines=[])
    seconds = min(int(wait or LONGEST_WAIT), LONGEST_WAIT)
    ended = await _until_ended(context, app, taken, seconds, request)
    response.status_code = 200 if ended.ended_at else 202
    return ended


def prepare(intake: Intake, source: AnySource, sent: Sent, actor: str) -> Prepared | None:
    """What needs no repository; None for a commit."""
    match source:
        case ImageSource():
            return intake.image(source.image, sent, actor)
        case GitSource():
            return intake.url(source.url, source.ref, sent, actor)
        case CommitSource():
            return None


def _take_body(context: Context, app: str, body: NewDeployment, actor: str) -> DeploymentAnswer:
    text = json.dumps(body.app_json) if body.app_json is not None else None
    sent = Sent(body.procfile, text, body.message)
    with context.database.read() as session:
        row = find_app(session, app)
    intake = context.source.intake
    with intake.open(row.id):
        if isinstance(body.source, CommitSource):
            prepared: Prepared | None = intake.commit(row, body.source.commit, sent, actor)
        else:
            prepared = prepare(intake, body.source, sent, actor)
        assert prepared is not None
        return _described(context, intake.take(row, prepared))


def _take_form(context: Context, app: str, form: FormData, actor: str) -> DeploymentAnswer:
    file = form.get("source")
    if not isinstance(file, UploadFile):
        raise InvalidValue("The form has no file `source`.", "Send the tarball as `source`.")
    sent = Sent(*(_text(form, name) for name in ("procfile", "app_json", "message")))
    blocks = iter(lambda: file.file.read(BLOCK), b"")
    return _take_tarball(context, app, blocks, actor, sent)


def _take_tarball(
    context: Context, app: str, chunks: Iterator[bytes], actor: str, sent: Sent
) -> DeploymentAnswer:
    with context.database.read() as session:
        app_id = find_app(session, app).id
    return _described(context, context.source.upload(app_id, chunks, actor, sent))


def _described(context: Context, deployment: Deployment) -> DeploymentAnswer:
    with context.database.read() as session:
        return describe(session, deployment)


async def _until_ended(
    context: Context, app: str, taken: DeploymentAnswer, seconds: int, request: Request
) -> DeploymentTaken:
    """The deployment once it has ended, or as it is when the time is over or nobody waits."""

    def look() -> DeploymentAnswer:
        with context.database.read() as session:
            return find_deployment(session, app, taken.id)

    deadline = time.monotonic() + seconds
    while (found := await run_sync(look)).ended_at is None and time.monotonic() < deadline:
        if await request.is_disconnected():
            break
        await asyncio.sleep(LOOK_SECONDS)
    lines: list[str] = []
    if found.status == "failed":
        text, _ = await run_sync(Transcript.of(context.settings, found.id).read)
        lines = text.splitlines()[-LAST_LINES:]
    return DeploymentTaken(**found.model_dump(), last_lines=lines)


def _parse(data: bytes) -> NewDeployment:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise InvalidValue("The body is not valid JSON.", "Send a JSON object.") from None
    try:
        return NewDeployment.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise RequestValidationError([{**first, "loc": ("body", *first["loc"])}]) from None


def _text(form: FormData, name: str) -> str | None:
    value = form.get(name)
    if value is None or isinstance(value, str):
        return value or None
    raise InvalidValue(f"`{name}` of the form is a file.", "Send it as a plain field.")


def chunks(stream: AsyncIterator[bytes]) -> Iterator[bytes]:
    """A request's body, for a worker thread to read."""

    async def following() -> bytes | None:
        return await anext(stream, None)

    ask: Callable[[], bytes | None] = lambda: from_thread.run(following)  # noqa: E731
    while (chunk := ask()) is not None:
        yield chunk
