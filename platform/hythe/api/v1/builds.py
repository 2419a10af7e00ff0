"""Builds: how images came to be."""

from datetime import datetime
from typing import Any, cast

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hythe.api.auth import CurrentActor, needs
from hythe.api.context import CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.deployments import (
    ErrorAnswer,
    Limit,
    SourceAnswer,
    error_answer,
    source_answer,
)
from hythe.api.v1.shapes import Answer, Items
from hythe.build import cancel
from hythe.build.line import places
from hythe.buildpackpin import BuildpackPin
from hythe.errors import NotFound
from hythe.model import Build, Deployment, Source
from hythe.model.deployment import BuildStatus
from hythe.transcript import Transcript

router = APIRouter(prefix="/apps/{app}/builds", tags=["builds"])


STATUS = (
    "queued: it waits for a slot, or for an earlier build of the app. canceled: somebody did that, "
    "or a newer deployment took its place in the line."
)


class UsedBuildpack(Answer):
    """A buildpack that took part in a build."""

    id: str
    version: str
    source: str | None = Field(description="As it was chosen; null for one of Hythe's own.")
    pinned: str | None = Field(description="Its commit, or the digest of its files.")


class StepAnswer(Answer):
    name: str
    seconds: float


class BuildAnswer(Answer):
    id: int
    status: BuildStatus = Field(description=STATUS)
    place: int | None = Field(description="In the line, from 1 on, while it is queued.")
    builder: str | None
    image: str | None
    processes: dict[str, str] | None = Field(description="{type: command line}")
    buildpacks: list[UsedBuildpack] = Field(description="In the order in which they ran.")
    steps: list[StepAnswer] = Field(description="What took how long, in order.")
    source: SourceAnswer
    error: ErrorAnswer | None
    canceled_by: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


def find_build(session: Session, app: str, build_id: int) -> tuple[Build, Source]:
    row = session.execute(
        select(Build, Source)
        .join(Source, Source.id == Build.source_id)
        .where(Build.id == build_id, Build.app_id == find_app(session, app).id)
    ).first()
    if row is None:
        raise NotFound(f"{app} has no build {build_id}.", "List them: `hythe builds`.")
    return row[0], row[1]


def used_buildpacks(build: Build | None) -> list[UsedBuildpack]:
    """What a build was made with; none for an image or a Dockerfile."""
    used = ((build.result if build else None) or {}).get("buildpacks", ())
    return [_used(one["id"], one["version"], one.get("pin")) for one in used]


def _used(identity: str, version: str, pin: dict[str, Any] | None) -> UsedBuildpack:
    known = BuildpackPin.read(pin) if pin else None
    return UsedBuildpack(
        id=identity,
        version=version,
        source=known.text if known else None,
        pinned=known.pinned if known else None,
    )


@router.get("", summary="List builds")
def list_builds(app: str, context: CurrentContext, limit: Limit = 50) -> Items[BuildAnswer]:
    with context.database.read() as session:
        rows = session.execute(
            select(Build, Source)
            .join(Source, Source.id == Build.source_id)
            .where(Build.app_id == find_app(session, app).id)
            .order_by(Build.id.desc())
            .limit(limit)
        )
        line = places(session)
        return Items(items=[_answer(build, source, line) for build, source in rows])


@router.get("/{build_id}", summary="Show a build")
def show_build(app: str, build_id: int, context: CurrentContext) -> BuildAnswer:
    with context.database.read() as session:
        return _answer(*find_build(session, app, build_id), places(session))


@router.post(
    "/{build_id}/cancel",
    status_code=202,
    summary="Cancel a build",
    description="It ends `canceled` when nothing of it runs any more, within a second or two.",
    dependencies=[needs("deploy")],
)
def cancel_build(
    app: str, build_id: int, context: CurrentContext, actor: CurrentActor
) -> BuildAnswer:
    with context.database.write() as tx:
        build, source = find_build(tx, app, build_id)
        cancel.request(tx, build, actor.name)
        return _answer(build, source, places(tx))


@router.get(
    "/{build_id}/log",
    summary="The output of a build, as text",
    description="The transcript of the first deployment that used the build.",
    response_class=PlainTextResponse,
)
def show_build_log(app: str, build_id: int, context: CurrentContext) -> str:
    with context.database.read() as session:
        build, _source = find_build(session, app, build_id)
        first = session.scalar(
            select(func.min(Deployment.id)).where(Deployment.build_id == build.id)
        )
    return Transcript.of(context.settings, first).read()[0] if first else ""


def _answer(build: Build, source: Source, line: dict[int, int]) -> BuildAnswer:
    return BuildAnswer(
        id=build.id,
        status=cast(BuildStatus, build.status),
        place=line.get(build.id),
        builder=build.builder,
        image=build.image,
        processes=build.processes,
        buildpacks=used_buildpacks(build),
        steps=[StepAnswer(**step) for step in build.steps],
        source=source_answer(source),
        error=error_answer(build.error_code, build.error_cause, build.error_fix),
        canceled_by=build.canceled_by,
        created_at=build.created_at,
        started_at=build.started_at,
        ended_at=build.ended_at,
    )
