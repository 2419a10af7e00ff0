"""How apps are doing, at a glance: the same few queries for one app and for a thousand."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, cast

from pydantic import Field
from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from hythe.api.v1.shapes import Answer
from hythe.model import App, Deployment, Formation, Instance, Sleep
from hythe.model.deployment import UNDER_WAY, DeploymentStatus

State = Literal["empty", "deploying", "live", "stopped", "asleep", "crashed", "failed"]
STATE = (
    "empty: nothing was deployed. deploying: a deployment is on its way. live: a release serves. "
    "stopped: it is scaled to nothing. asleep: a request wakes it. crashed: all instances of a "
    "process type have crashed. "
    "failed: the last deployment failed, and no earlier release serves."
)


class LastDeployment(Answer):
    id: int
    status: DeploymentStatus
    created_at: datetime
    ended_at: datetime | None


class InstanceCounts(Answer):
    wanted: int = Field(description="What the formation asks for.")
    up: int
    crashed: int


class Overview(Answer):
    state: State = Field(description=STATE)
    instances: InstanceCounts
    last_deployment: LastDeployment | None


@dataclass(slots=True)
class _Facts:
    wanted: dict[str, int] = field(default_factory=dict)  # by process type
    states: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    last: LastDeployment | None = None
    under_way: bool = False
    asleep: bool = False

    def overview(self, serves: bool) -> Overview:
        return Overview(
            state=self._state(serves),
            instances=InstanceCounts(
                wanted=sum(self.wanted.values()),
                up=self._count("up"),
                crashed=self._count("crashed"),
            ),
            last_deployment=self.last,
        )

    def _count(self, state: str) -> int:
        return sum(states.get(state, 0) for states in self.states.values())

    def _state(self, serves: bool) -> State:
        if self.under_way:
            return "deploying"
        if not serves:
            return "failed" if self.last else "empty"
        if not any(self.wanted.values()):
            return "stopped"
        if self.asleep:
            return "asleep"
        crashed = (s for s in self.states.values() if s.get("crashed") and not s.get("up"))
        return "crashed" if any(crashed) else "live"


def overviews(session: Session, serving: Mapping[int, bool]) -> dict[int, Overview]:
    """The overview of each app, by id; `serving` says which of them have a release that serves."""
    facts = {app_id: _Facts() for app_id in serving}
    only = next(iter(serving)) if len(serving) == 1 else None
    _read_formation(session, facts, only)
    _read_instances(session, facts, only)
    _read_deployments(session, facts, only)
    return {app_id: known.overview(serving[app_id]) for app_id, known in facts.items()}


def _read_formation(session: Session, facts: dict[int, _Facts], only: int | None) -> None:
    wanted = (
        select(Formation.app_id, Formation.process, Formation.quantity, Sleep.state)
        .outerjoin(Sleep, Sleep.app_id == Formation.app_id)
        .where(_of(Formation.app_id, only))
    )
    for app_id, process, quantity, sleep in session.execute(wanted):
        if app_id in facts:
            facts[app_id].wanted[process] = quantity
            facts[app_id].asleep = sleep == "asleep"


def _read_instances(session: Session, facts: dict[int, _Facts], only: int | None) -> None:
    wanted = (
        select(Instance.app_id, Instance.process, Instance.state, func.count())
        .where(Instance.state != "gone", _of(Instance.app_id, only))
        .group_by(Instance.app_id, Instance.process, Instance.state)
    )
    for app_id, process, state, count in session.execute(wanted):
        if app_id in facts:
            facts[app_id].states[process][state] = count


def _read_deployments(session: Session, facts: dict[int, _Facts], only: int | None) -> None:
    of_app = select(func.max(Deployment.id)).where(Deployment.app_id == App.id).correlate(App)
    newest = (  # an index finds the newest of each app without reading the others
        select(of_app.scalar_subquery()).select_from(App).where(_of(App.id, only))
    )
    columns = (
        Deployment.app_id,
        Deployment.id,
        Deployment.status,
        Deployment.created_at,
        Deployment.ended_at,
    )
    active = select(Deployment.app_id).where(
        Deployment.status.in_(UNDER_WAY), _of(Deployment.app_id, only)
    )
    for app_id, *rest in session.execute(select(*columns).where(Deployment.id.in_(newest))):
        if app_id in facts:
            number, status, created_at, ended_at = rest
            facts[app_id].last = LastDeployment(
                id=number,
                status=cast(DeploymentStatus, status),
                created_at=created_at,
                ended_at=ended_at,
            )
    for app_id in session.scalars(active):
        if app_id in facts:
            facts[app_id].under_way = True


def _of(column: InstrumentedAttribute[int], only: int | None) -> ColumnElement[bool]:
    return true() if only is None else column == only
