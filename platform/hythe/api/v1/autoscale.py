"""Autoscaling: between how many instances, and by what, a process type is scaled."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from hythe.api.auth import CurrentActor, needs
from hythe.api.context import CurrentContext
from hythe.api.v1.apps import find_app
from hythe.api.v1.shapes import Answer, Body, Items
from hythe.errors import InvalidValue
from hythe.model import App, Autoscale

router = APIRouter(prefix="/apps/{app}/autoscale", tags=["instances"])

Process = Annotated[str, Path(max_length=63, pattern=r"^[A-Za-z0-9_-]+$")]


class AutoscaleBody(Body):
    low: int = Field(ge=1, le=120, description="Fewest instances.")
    high: int = Field(ge=1, le=120, description="Most instances.")
    p95: float | None = Field(
        None, ge=0.001, le=60, description="Seconds within which 95 % of requests shall be served."
    )
    cpu: int | None = Field(
        None, ge=1, le=100, description="Percent of its CPU limit that an instance shall use."
    )

    @model_validator(mode="after")
    def check(self) -> "AutoscaleBody":
        if (self.p95 is None) == (self.cpu is None):
            raise ValueError("give either p95 or cpu")
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class AutoscaleAnswer(Answer):
    process: str
    low: int
    high: int
    p95: float | None
    cpu: int | None


@router.get("", summary="Show what is scaled by itself")
def list_autoscale(app: str, context: CurrentContext) -> Items[AutoscaleAnswer]:
    with context.database.read() as session:
        return Items(items=_all(session, find_app(session, app)))


@router.put("/{process}", summary="Scale a process type by load", dependencies=[needs("deploy")])
def autoscale(
    app: str, process: Process, body: AutoscaleBody, context: CurrentContext, actor: CurrentActor
) -> AutoscaleAnswer:
    if body.high > context.settings.max_instances:
        raise InvalidValue(
            f"{body.high} is more than {context.settings.max_instances}.",
            "Choose fewer; HYTHE_MAX_INSTANCES sets the limit.",
        )
    if body.p95 is not None and process != "web":
        raise InvalidValue(f"{process} serves no requests.", "Scale it by --cpu.")
    with context.database.write() as tx:
        found = find_app(tx, app)
        row = _row(tx, found, process) or Autoscale(app_id=found.id, process=process)
        row.low, row.high, row.p95, row.cpu = body.low, body.high, body.p95, body.cpu
        tx.add(row)
        by = f"p95 {body.p95:g} s" if body.p95 is not None else f"{body.cpu} % CPU"
        said = f"Scale {process} from {body.low} to {body.high} by {by}"
        tx.note("autoscale.set", said, actor=actor.name, app_id=found.id)
        tx.poke(found.id)
        return _answer(row)


@router.delete("/{process}", summary="Scale by hand again", dependencies=[needs("deploy")])
def scale_by_hand(
    app: str, process: Process, context: CurrentContext, actor: CurrentActor
) -> Items[AutoscaleAnswer]:
    with context.database.write() as tx:
        found = find_app(tx, app)
        row = _row(tx, found, process)
        if row is not None:
            tx.delete(row)
            tx.flush()
            said = f"Scale {process} by hand"
            tx.note("autoscale.unset", said, actor=actor.name, app_id=found.id)
        return Items(items=_all(tx, found))


def _row(session: Session, app: App, process: str) -> Autoscale | None:
    return session.scalar(
        select(Autoscale).where(Autoscale.app_id == app.id, Autoscale.process == process)
    )


def _all(session: Session, app: App) -> list[AutoscaleAnswer]:
    rows = select(Autoscale).where(Autoscale.app_id == app.id).order_by(Autoscale.process)
    return [_answer(row) for row in session.scalars(rows)]


def _answer(row: Autoscale) -> AutoscaleAnswer:
    return AutoscaleAnswer(
        process=row.process, low=row.low, high=row.high, p95=row.p95, cpu=row.cpu
    )
