"""The formation: how many instances of each process type should run. It is no part of a release."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from hythe import network
from hythe.api.auth import CurrentActor, needs
from hythe.api.context import CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.shapes import Answer, Body, Items
from hythe.errors import InvalidValue
from hythe.model import App, Formation, Release, Write
from hythe.settings import Settings
from hythe.spec import RELEASE_PROCESS, ReleaseSpec

router = APIRouter(prefix="/apps/{app}/formation", tags=["formation"])


class Scale(Body):
    quantities: dict[Annotated[str, Field(max_length=63)], int] = Field(
        min_length=1, max_length=100, description="{process type: instances}"
    )


class ProcessAnswer(Answer):
    process: str
    quantity: int
    command: str | None = Field(description="Of the newest release; empty is the image's own.")


def scale(tx: Write, settings: Settings, app: App, quantities: dict[str, int], actor: str) -> None:
    """Change the formation; raises InvalidValue for unknown types and impossible numbers."""
    rows = {row.process: row for row in _rows(tx, app)}
    known = rows.keys() | _commands(tx, app).keys()
    for process in quantities:
        if process not in known:
            has = f"It has: {', '.join(sorted(known))}." if known else "It has none yet."
            raise InvalidValue(
                f"{app.name} has no process type '{process}'. {has}",
                "Add it to the Procfile and deploy.",
            )
    resize(tx, settings, app, quantities, actor)


def resize(tx: Write, settings: Settings, app: App, quantities: dict[str, int], actor: str) -> None:
    """The same for types that may appear with the next release only."""
    rows = {row.process: row for row in _rows(tx, app)}
    for process, quantity in quantities.items():
        if not 0 <= quantity <= settings.max_instances:
            raise InvalidValue(
                f"{process}={_short(quantity)} is not between 0 and {settings.max_instances}.",
                "Choose a number in between; HYTHE_MAX_INSTANCES sets the limit.",
            )
        row = rows.setdefault(process, Formation(app_id=app.id, process=process))
        row.quantity = quantity
        tx.add(row)
    total = sum(row.quantity for row in rows.values())
    if total > network.ROOM:
        raise InvalidValue(
            f"{total} instances are more than an app's network holds ({network.ROOM}).",
            "Scale another process type down first.",
        )
    said = ", ".join(f"{process}={quantity}" for process, quantity in quantities.items())
    tx.note("app.scale", f"Scale {said}", actor=actor, app_id=app.id, quantities=quantities)
    tx.poke(app.id)


@router.get("", summary="Show the formation")
def show_formation(app: str, context: CurrentContext) -> Items[ProcessAnswer]:
    with context.database.read() as session:
        return formation(session, find_app(session, app))


@router.patch("", summary="Scale process types", dependencies=[needs("deploy")])
def change_formation(
    app: str, body: Scale, context: CurrentContext, actor: CurrentActor
) -> Items[ProcessAnswer]:
    with context.database.write() as tx:
        row = find_app(tx, app)
        scale(tx, context.settings, row, body.quantities, actor.name)
        tx.flush()
        return formation(tx, row)


def formation(session: Session, app: App) -> Items[ProcessAnswer]:
    """All process types, with what is wanted of each."""
    commands = _commands(session, app)
    quantities = {row.process: row.quantity for row in _rows(session, app)}
    types = sorted(commands.keys() | quantities.keys(), key=lambda kind: (kind != "web", kind))
    return Items(
        items=[
            ProcessAnswer(
                process=kind, quantity=quantities.get(kind, 0), command=commands.get(kind)
            )
            for kind in types
        ]
    )


def _rows(session: Session, app: App) -> list[Formation]:
    return list(session.scalars(select(Formation).where(Formation.app_id == app.id)))


def _commands(session: Session, app: App) -> dict[str, str]:
    """The newest release's process types that can be scaled."""
    spec = newest_spec(session, app.id)
    processes = spec.processes if spec else {}
    return {kind: line for kind, line in processes.items() if kind != RELEASE_PROCESS}


def newest_spec(session: Session, app_id: int) -> ReleaseSpec | None:
    newest = session.scalars(
        select(Release).where(Release.app_id == app_id).order_by(Release.version.desc()).limit(1)
    ).first()
    return ReleaseSpec.of(newest) if newest else None


def _short(quantity: int) -> str:
    text = str(quantity)
    return text if len(text) <= 12 else f"{text[:12]}..."
