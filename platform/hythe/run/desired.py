"""What should be: one app's rows, read in one transaction, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hythe.model import App, Deployment, Formation, Instance, Release, Sleep
from hythe.spec import RELEASE_PROCESS, ReleaseSpec

WEB = "web"
ASLEEP = "asleep"


@dataclass(frozen=True, slots=True)
class Group:
    """The instances that a deployment should have."""

    deployment_id: int
    version: int
    quantities: Mapping[str, int]  # {process: count}, noughts left out
    boot_timeout: int  # seconds


@dataclass(frozen=True, slots=True)
class Slot:
    """An instance row."""

    id: int
    deployment_id: int
    process: str
    index: int
    address: str
    state: str
    started_at: datetime | None
    ready_at: datetime | None
    draining_at: datetime | None
    left: tuple[int, int] | None  # first table version without it
    crashes: int
    restarts: int
    retry_at: datetime | None

    @classmethod
    def of(cls, row: Instance) -> "Slot":
        left = None
        if row.left_epoch is not None and row.left_sequence is not None:
            left = (row.left_epoch, row.left_sequence)
        return cls(
            id=row.id,
            deployment_id=row.deployment_id,
            process=row.process,
            index=row.index,
            address=row.address,
            state=row.state,
            started_at=row.started_at,
            ready_at=row.ready_at,
            draining_at=row.draining_at,
            left=left,
            crashes=row.crashes,
            restarts=row.restarts,
            retry_at=row.retry_at,
        )

    @property
    def name(self) -> str:
        return f"{self.process}.{self.index}"


@dataclass(frozen=True, slots=True)
class Desired:
    """Everything that the database says about what an app should run."""

    app_id: int
    app_name: str
    destroyed: bool
    serving: Group | None
    rolling: Group | None
    slots: tuple[Slot, ...] = field(default=())  # those that are not gone

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups that should exist, the serving one first, each once."""
        if self.destroyed:
            return ()
        groups = [group for group in (self.serving, self.rolling) if group is not None]
        if len(groups) == 2 and groups[0].deployment_id == groups[1].deployment_id:
            groups.pop()
        return tuple(groups)


def read(session: Session, app_id: int) -> Desired | None:
    """The app's desired state, or None when there is no such app."""
    app = session.get(App, app_id)
    if app is None:
        return None
    formation = {
        row.process: row.quantity
        for row in session.scalars(select(Formation).where(Formation.app_id == app_id))
    }
    rolling = session.scalar(
        select(Deployment).where(Deployment.app_id == app_id, Deployment.status == "rolling")
    )
    serving = session.get(Deployment, app.serving_id) if app.serving_id else None
    slots = session.scalars(
        select(Instance)
        .where(Instance.app_id == app_id, Instance.state != "gone")
        .order_by(Instance.id)
    )
    return Desired(
        app_id=app.id,
        app_name=app.name,
        destroyed=app.destroyed_at is not None,
        serving=_group(session, serving, _waking(session, app_id, formation)),
        rolling=_group(session, rolling, formation),
        slots=tuple(Slot.of(row) for row in slots),
    )


def _waking(session: Session, app_id: int, formation: Mapping[str, int]) -> Mapping[str, int]:
    """The formation without what sleeps. A release on its way is started all the same: it has to
    show that it works."""
    sleep = session.get(Sleep, app_id)
    if sleep is None or sleep.state != ASLEEP:
        return formation
    return {process: count for process, count in formation.items() if process != WEB}


def _group(
    session: Session, deployment: Deployment | None, formation: Mapping[str, int]
) -> Group | None:
    if deployment is None:
        return None
    release = session.get_one(Release, deployment.release_id)
    spec = ReleaseSpec.of(release)
    quantities = {
        process: formation.get(process, 0)
        for process in spec.processes
        if process != RELEASE_PROCESS and formation.get(process, 0) > 0
    }
    return Group(deployment.id, release.version, quantities, spec.boot_timeout)
