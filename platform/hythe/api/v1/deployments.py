"""Deployments: attempts to make an app run something."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, cast

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import Field
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from hythe.api.auth import CurrentActor, needs
from hythe.api.context import CurrentContext
from hythe.api.streams import EventStream, LastEventId, deployment_events
from hythe.api.v1.apps import find_app
from hythe.api.v1.shapes import Answer, Body, Items
from hythe.api.v1.switch import SwitchAnswer, switch_answer
from hythe.errors import InvalidValue, NotFound
from hythe.model import App, Deployment, Release, Source
from hythe.model.deployment import DeploymentKind, DeploymentStatus
from hythe.source.heir import last_heir
from hythe.transcript import Transcript

router = APIRouter(prefix="/apps/{app}", tags=["deployments"])

Limit = Annotated[int, Query(ge=1, le=1000, description="How many, newest first.")]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


class SourceAnswer(Answer):
    kind: str = Field(description="git, tarball, image or url")
    tree: str = Field(description="git tree id; empty for an image, and before it is fetched")
    location: str | None = Field(description="The image's name, or the git URL.")
    commit: str | None
    message: str | None


class ErrorAnswer(Answer):
    code: str
    cause: str
    fix: str


class DeploymentAnswer(Answer):
    id: int
    kind: DeploymentKind
    status: DeploymentStatus
    description: str
    release: int | None = Field(description="The version, once it has one.")
    build_id: int | None
    source: SourceAnswer | None
    error: ErrorAnswer | None
    heir: int | None = Field(
        description="The newer deployment that took over and carries the same code on, if any."
    )
    switch: SwitchAnswer | None = Field(
        description="What the routers counted while it took over; null before, and of a first one."
    )
    created_by: str
    created_at: datetime
    ended_at: datetime | None


class RollbackRequest(Body):
    version: Version | None = Field(None, description="The one before the serving one if absent.")
    run_release_phase: bool = False


class RolledBack(Answer):
    deployment: DeploymentAnswer
    changed_config: list[str] = Field(description="Config keys whose value changes.")


class RedeployRequest(Body):
    version: Version | None = Field(None, description="The serving release if absent.")


def describe(session: Session, deployment: Deployment) -> DeploymentAnswer:
    """The answer for a deployment, read in this session."""
    return _described(session, select(Deployment).where(Deployment.id == deployment.id))[0]


def find_deployment(session: Session, app: str, deployment_id: int) -> DeploymentAnswer:
    wanted = select(Deployment).where(
        Deployment.id == deployment_id, Deployment.app_id == find_app(session, app).id
    )
    found = _described(session, wanted)
    if not found:
        raise NotFound(f"{app} has no deployment {deployment_id}.", "See `hythe releases`.")
    return found[0]


def newest_deployments(session: Session, app: App, limit: int) -> Items[DeploymentAnswer]:
    wanted = select(Deployment).where(Deployment.app_id == app.id)
    newest = wanted.order_by(Deployment.id.desc()).limit(limit)
    return Items(items=list(_described(session, newest)))


@router.get("/deployments", summary="List deployments")
def list_deployments(
    app: str, context: CurrentContext, limit: Limit = 50
) -> Items[DeploymentAnswer]:
    with context.database.read() as session:
        return newest_deployments(session, find_app(session, app), limit)


@router.get("/deployments/{deployment_id}", summary="Show a deployment")
def show_deployment(app: str, deployment_id: int, context: CurrentContext) -> DeploymentAnswer:
    with context.database.read() as session:
        return find_deployment(session, app, deployment_id)


@router.get(
    "/deployments/{deployment_id}/log",
    summary="The transcript so far, as text",
    response_class=PlainTextResponse,
)
def show_transcript(app: str, deployment_id: int, context: CurrentContext) -> str:
    with context.database.read() as session:
        found = find_deployment(session, app, deployment_id)
    return Transcript.of(context.settings, found.id).read()[0]


@router.get(
    "/deployments/{deployment_id}/follow",
    summary="Follow the transcript until the deployment ends",
    description="Server-sent events: `line` for each line, then one `end` with the deployment. "
    "`Last-Event-ID` resumes. `gone` says that the app is destroyed.",
    response_class=EventStream,
)
def follow_deployment(
    app: str, deployment_id: int, context: CurrentContext, last_event_id: LastEventId = None
) -> StreamingResponse:
    offset = _offset(last_event_id)

    def current() -> tuple[bool, str]:
        with context.database.read() as session:
            found = find_deployment(session, app, deployment_id)
        return found.ended_at is not None, found.model_dump_json()

    current()
    transcript = Transcript.of(context.settings, deployment_id)
    return EventStream(deployment_events(transcript, offset, current))


@router.post(
    "/rollback",
    status_code=202,
    summary="Repeat an earlier release as a new one",
    dependencies=[needs("deploy")],
)
def rollback(
    app: str, body: RollbackRequest, context: CurrentContext, actor: CurrentActor
) -> RolledBack:
    with context.database.write() as tx:
        deployment, changed = context.changes.rollback(
            tx, find_app(tx, app), body.version, actor.name, body.run_release_phase
        )
        return RolledBack(deployment=describe(tx, deployment), changed_config=changed)


@router.post(
    "/redeploy",
    status_code=202,
    summary="Release an image again, with today's config",
    dependencies=[needs("deploy")],
)
def redeploy(
    app: str, body: RedeployRequest, context: CurrentContext, actor: CurrentActor
) -> DeploymentAnswer:
    with context.database.write() as tx:
        deployment = context.changes.redeploy(tx, find_app(tx, app), body.version, actor.name)
        return describe(tx, deployment)


@router.post(
    "/restart",
    status_code=202,
    summary="Replace all instances of the serving release",
    dependencies=[needs("deploy")],
)
def restart(app: str, context: CurrentContext, actor: CurrentActor) -> DeploymentAnswer:
    with context.database.write() as tx:
        return describe(tx, context.changes.restart(tx, find_app(tx, app), actor.name))


def _offset(last_event_id: str | None) -> int:
    """The place in the transcript that a follower has reached."""
    text = last_event_id or "0"
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise InvalidValue(f"'{text}' is not an event's id.", "Send the id of the last event.")
    return int(text)


def _described(session: Session, wanted: Select[Deployment]) -> Sequence[DeploymentAnswer]:
    rows = session.execute(
        wanted.add_columns(Release.version, Source)
        .outerjoin(Release, Release.id == Deployment.release_id)
        .outerjoin(Source, Source.id == Deployment.source_id)
    )
    return [
        _answer(deployment, version, source, last_heir(session, deployment))
        for deployment, version, source in rows.all()
    ]


def _answer(
    row: Deployment, version: int | None, source: Source | None, last: Deployment
) -> DeploymentAnswer:
    return DeploymentAnswer(
        id=row.id,
        kind=cast(DeploymentKind, row.kind),
        status=cast(DeploymentStatus, row.status),
        description=row.description,
        release=version,
        build_id=row.build_id,
        source=source_answer(source) if source else None,
        error=error_answer(row.error_code, row.error_cause, row.error_fix),
        heir=last.id if last.id != row.id else None,
        switch=switch_answer(row),
        created_by=row.created_by,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


def source_answer(row: Source) -> SourceAnswer:
    return SourceAnswer(
        kind=row.kind,
        tree=row.tree,
        location=row.location,
        commit=row.commit,
        message=row.message,
    )


def error_answer(code: str | None, cause: str | None, fix: str | None) -> ErrorAnswer | None:
    return ErrorAnswer(code=code, cause=cause or "", fix=fix or "") if code else None
