"""Instances: what runs right now."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from hythe.api.context import CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.shapes import Answer, Items
from hythe.model import App, Deployment, Instance, Release

router = APIRouter(prefix="/apps/{app}/instances", tags=["instances"])


class InstanceAnswer(Answer):
    name: str = Field(examples=["web.1"])
    process: str
    index: int
    state: str = Field(description="pending, starting, up, draining or crashed.")
    since: datetime = Field(description="When it entered this state.")
    release: int | None
    deployment_id: int
    crashes: int = Field(description="Crashes in a row.")
    exit_code: int | None
    retry_at: datetime | None = Field(description="When a crashed one is started again.")


@router.get("", summary="List instances")
def list_instances(app: str, context: CurrentContext) -> Items[InstanceAnswer]:
    with context.database.read() as session:
        return live_instances(session, find_app(session, app))


def live_instances(session: Session, app: App) -> Items[InstanceAnswer]:
    """Those that are not gone."""
    rows = session.execute(
        select(Instance, Release.version)
        .join(Deployment, Deployment.id == Instance.deployment_id)
        .outerjoin(Release, Release.id == Deployment.release_id)
        .where(Instance.app_id == app.id, Instance.state != "gone")
        .order_by(Instance.process, Instance.index, Instance.id)
    )
    return Items(items=[_answer(instance, version) for instance, version in rows])


def since(instance: Instance) -> datetime:
    """When the instance entered its state, as far as the row remembers."""
    entered = {
        "starting": instance.started_at,
        "up": instance.ready_at,
        "draining": instance.draining_at,
    }
    return entered.get(instance.state) or instance.started_at or instance.created_at


def _answer(instance: Instance, version: int | None) -> InstanceAnswer:
    return InstanceAnswer(
        name=f"{instance.process}.{instance.index}",
        process=instance.process,
        index=instance.index,
        state=instance.state,
        since=since(instance),
        release=version,
        deployment_id=instance.deployment_id,
        crashes=instance.crashes,
        exit_code=instance.exit_code,
        retry_at=instance.retry_at,
    )
