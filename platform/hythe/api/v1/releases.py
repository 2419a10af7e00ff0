"""Releases: image, config and processes, frozen under a version."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from hythe.api.auth import CurrentActor, needs
from hythe.api.context import CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.builds import UsedBuildpack, used_buildpacks
from hythe.api.v1.deployments import (
    DeploymentAnswer,
    Limit,
    SourceAnswer,
    describe,
    source_answer,
)
from hythe.api.v1.shapes import Answer, Items
from hythe.api.v1.switch import SwitchAnswer, switches
from hythe.errors import NotFound
from hythe.model import App, Build, Deployment, Release, Source
from hythe.run import decide
from hythe.spec import ReleaseSpec

router = APIRouter(prefix="/apps/{app}/releases", tags=["releases"])

MOST = 2**31 - 1
PathVersion = Annotated[int, Path(ge=1, le=MOST)]


class ReleaseAnswer(Answer):
    version: int
    description: str
    serving: bool
    build_id: int | None
    repeats: int | None = Field(description="The version that a rollback repeats.")
    source: SourceAnswer | None
    image: str
    processes: dict[str, str]
    buildpacks: list[UsedBuildpack] = Field(description="What its image was built with, in order.")
    switch: SwitchAnswer | None = Field(
        description="What was counted when it took over; null when nothing served before it."
    )
    created_by: str
    created_at: datetime


class Change(Answer):
    """One thing that differs; null where it is absent."""

    before: str | None
    after: str | None


class ReleaseDiff(Answer):
    before: int
    after: int
    image: Change | None = Field(description="Null when both run the same image.")
    commit: Change | None
    processes: dict[str, Change]
    config_added: list[str] = Field(description="Keys only: values stay secret.")
    config_removed: list[str]
    config_changed: list[str]


def find_release(session: Session, app: App, version: int) -> Release:
    wanted = select(Release).where(Release.app_id == app.id, Release.version == version)
    release = session.scalar(wanted)
    if release is None:
        raise NotFound(f"{app.name} has no release v{version}.", "List them: `hythe releases`.")
    return release


def newest_releases(session: Session, app: App, limit: int) -> Items[ReleaseAnswer]:
    wanted = select(Release).where(Release.app_id == app.id)
    newest = wanted.order_by(Release.version.desc()).limit(limit)
    return Items(items=_answers(session, app, newest))


@router.get("", summary="List releases")
def list_releases(app: str, context: CurrentContext, limit: Limit = 50) -> Items[ReleaseAnswer]:
    with context.database.read() as session:
        return newest_releases(session, find_app(session, app), limit)


@router.get("/{version}", summary="Show a release")
def show_release(app: str, version: PathVersion, context: CurrentContext) -> ReleaseAnswer:
    with context.database.read() as session:
        row = find_app(session, app)
        release = find_release(session, row, version)
        return _answers(session, row, select(Release).where(Release.id == release.id))[0]


@router.post(
    "/{version}/promote",
    status_code=202,
    summary="Give a canary all of the traffic",
    dependencies=[needs("deploy")],
)
def promote_release(
    app: str, version: PathVersion, context: CurrentContext, actor: CurrentActor
) -> DeploymentAnswer:
    with context.database.write() as tx:
        return describe(tx, decide.promote(tx, find_app(tx, app), version, actor.name))


@router.post(
    "/{version}/abort",
    summary="Give up a release that is taking over",
    dependencies=[needs("deploy")],
)
def abort_release(
    app: str, version: PathVersion, context: CurrentContext, actor: CurrentActor
) -> DeploymentAnswer:
    with context.database.write() as tx:
        row = find_app(tx, app)
        return describe(tx, decide.abort(tx, context.settings, row, version, actor.name))


@router.get("/{version}/diff", summary="Compare two releases")
def diff_releases(
    app: str,
    version: PathVersion,
    to: Annotated[int, Query(ge=1, le=MOST, description="The version to compare with.")],
    context: CurrentContext,
) -> ReleaseDiff:
    with context.database.read() as session:
        row = find_app(session, app)
        one, other = find_release(session, row, version), find_release(session, row, to)
    open_map = context.vault.unseal_map
    return compare(one, other, open_map(one.config), open_map(other.config))


def compare(
    one: Release, other: Release, config: Mapping[str, str], other_config: Mapping[str, str]
) -> ReleaseDiff:
    """What differs between two releases, whose config is given in the clear."""
    spec, other_spec = ReleaseSpec.of(one), ReleaseSpec.of(other)
    processes = {
        kind: _change(spec.processes.get(kind), other_spec.processes.get(kind))
        for kind in sorted(spec.processes.keys() | other_spec.processes.keys())
    }
    both = config.keys() & other_config.keys()
    return ReleaseDiff(
        before=one.version,
        after=other.version,
        image=_change(one.image, other.image),
        commit=_change(spec.commit, other_spec.commit),
        processes={kind: change for kind, change in processes.items() if change},
        config_added=sorted(other_config.keys() - both),
        config_removed=sorted(config.keys() - both),
        config_changed=sorted(key for key in both if config[key] != other_config[key]),
    )


def _change(before: str | None, after: str | None) -> Change | None:
    return Change(before=before, after=after) if before != after else None


def _answers(session: Session, app: App, wanted: Select[Release]) -> list[ReleaseAnswer]:
    serving = session.get(Deployment, app.serving_id) if app.serving_id else None
    serving_id = serving.release_id if serving else None
    rows = session.execute(
        wanted.add_columns(Source, Build)
        .outerjoin(Source, Source.id == Release.source_id)
        .outerjoin(Build, Build.id == Release.build_id)
    ).all()
    counted = switches(session, [release.id for release, _, _ in rows])
    return [
        ReleaseAnswer(
            version=release.version,
            description=release.description,
            serving=release.id == serving_id,
            build_id=release.build_id,
            repeats=release.repeats,
            source=source_answer(source) if source else None,
            image=release.image,
            processes=dict(ReleaseSpec.of(release).processes),
            buildpacks=used_buildpacks(build),
            switch=counted.get(release.id),
            created_by=release.created_by,
            created_at=release.created_at,
        )
        for release, source, build in rows
    ]
