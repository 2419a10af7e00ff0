"""Disk space: what is free, what apps take, and what was pruned."""

from datetime import UTC, datetime
from pathlib import Path

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from hythe.api.context import CurrentContext
from hythe.api.v1.shapes import Answer
from hythe.build.disk import Survey, disks
from hythe.model import App, Event

PRUNED = 20  # the newest removals that are told

router = APIRouter(prefix="/disk", tags=["platform"])


class DiskAnswer(Answer):
    folders: list[str] = Field(description="HYTHE_HOME, the engine's folder, or both.")
    total: int = Field(description="Bytes.")
    free: int = Field(description="Bytes that builds may still use.")


class AppShareAnswer(Answer):
    app: str
    images: int
    image_bytes: int = Field(description="Without what other images hold.")
    cache_bytes: int


class PrunedAnswer(Answer):
    message: str
    bytes: int
    app: str | None
    at: datetime


class DiskUse(Answer):
    disks: list[DiskAnswer]
    reserve: int = Field(description="Free bytes without which no build starts.")
    budget: int = Field(description="Bytes for images and build caches; 0 is no budget.")
    measured_at: datetime | None = Field(description="Null before the governor's first look.")
    total: int | None = Field(description="Bytes of all images and build caches.")
    apps: list[AppShareAnswer]
    pruned: list[PrunedAnswer] = Field(description=f"The newest {PRUNED}, newest first.")


@router.get("", summary="Show disk space")
def show_disk(context: CurrentContext) -> DiskUse:
    settings = context.settings
    survey = Survey.load(settings)
    engine = Path(survey.engine) if survey and survey.engine else None
    with context.database.read() as session:
        names = {app.id: app.name for app in session.scalars(select(App))}
        pruned = session.scalars(
            select(Event).where(Event.kind == "disk.prune").order_by(Event.id.desc()).limit(PRUNED)
        ).all()
    shares = survey.apps.items() if survey else ()
    return DiskUse(
        disks=[
            DiskAnswer(folders=list(each.folders), total=each.total, free=each.free)
            for each in disks(settings.home, engine)
        ],
        reserve=settings.disk_reserve,
        budget=settings.disk_budget,
        measured_at=datetime.fromtimestamp(survey.at, UTC) if survey else None,
        total=survey.total if survey else None,
        apps=[
            AppShareAnswer(
                app=names[int(app)],
                images=share.images,
                image_bytes=share.image_bytes,
                cache_bytes=share.cache_bytes,
            )
            for app, share in shares
            if int(app) in names
        ],
        pruned=[
            PrunedAnswer(
                message=event.message,
                bytes=event.data.get("bytes", 0),
                app=names.get(event.app_id) if event.app_id else None,
                at=event.created_at,
            )
            for event in pruned
        ],
    )
