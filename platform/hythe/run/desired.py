"""What should be: one app's rows, read in one transaction, as values."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Select, select, true
from sqlalchemy.orm import Session

from hythe.model import App, Deployment, Formation, Instance, Release
from hythe.spec import RELEASE_PROCESS, ReleaseSpec

WEB = "web"


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
    return next(_read(session, App.id == app_id), None)


def read_all(session: Session) -> Iterator[Desired]:
    """That of every app, in as many queries."""
    return _read(session, true())


def _read(session: Session, these: ColumnElement[bool]) -> Iterator[Desired]:
    apps = session.execute(select(App.id, App.name, App.destroyed_at).where(these)).all()
    formations: defaultdict[int, dict[str, int]] = defaultdict(dict)
    formation = select(Formation).join(App, App.id == Formation.app_id).where(these)
    for row in session.scalars(formation):
        formations[row.app_id][row.process] = row.quantity
    serves = select(Deployment, Release).join(App, App.serving_id == Deployment.id)
    rolls = select(Deployment, Release).join(App, App.id == Deployment.app_id)
    serving = _attempts(session, serves.where(these))
    rolling = _attempts(session, rolls.where(these, Deployment.status == "rolling"))
    slots: defaultdict[int, list[Slot]] = defaultdict(list)
    instances = select(Instance).join(App, App.id == Instance.app_id)
    held = instances.where(these, Instance.state != "gone").order_by(Instance.id)
    for instance in session.scalars(held):
        slots[instance.app_id].append(Slot.of(instance))
    for app_id, name, destroyed_at in apps:
        yield Desired(
            app_id=app_id,
            app_name=name,
            destroyed=destroyed_at is not None,
            serving=_group(serving.get(app_id), formations[app_id]),
            rolling=_group(rolling.get(app_id), formations[app_id]),
            slots=tuple(slots[app_id]),
        )


Attempt = tuple[Deployment, Release]


def _attempts(session: Session, query: Select[Deployment, Release]) -> dict[int, Attempt]:
    """Deployments with their releases, by app."""
    found = session.execute(query.join(Release, Release.id == Deployment.release_id))
    return {deployment.app_id: (deployment, release) for deployment, release in found}


def _group(attempt: Attempt | None, formation: Mapping[str, int]) -> Group | None:
    if attempt is None:
        return None
    deployment, release = attempt
    spec = ReleaseSpec.of(release)
    quantities = {
        process: formation.get(process, 0)
        for process in spec.processes
        if process != RELEASE_PROCESS and formation.get(process, 0) > 0
    }
    return Group(deployment.id, release.version, quantities, spec.boot_timeout)
