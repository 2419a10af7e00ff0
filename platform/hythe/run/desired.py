"""What should be: one app's rows, read in one transaction, as values."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Select, select, true
from sqlalchemy.orm import Session

from hythe.healthcheck import HealthCheck
from hythe.model import App, Deployment, Formation, Instance, Release, Sleep
from hythe.process_settings import NOTHING_SET, ProcessSettings
from hythe.spec import RELEASE_PROCESS, ReleaseSpec

WEB = "web"
ASLEEP = "asleep"
SETTLED_SECONDS = 1.0
BOTH = "both"  # the old instances and the new ones get requests
WAIT = "wait"  # requests wait while none is up


@dataclass(frozen=True, slots=True)
class Group:
    """The instances that a deployment should have."""

    deployment_id: int
    version: int
    quantities: Mapping[str, int]  # {process: count}, noughts left out
    boot_timeout: int  # seconds
    settings: Mapping[str, ProcessSettings] = field(default_factory=dict)  # by process type
    sharing: str = ""  # while it rolls: "" (the old ones get all requests), BOTH, WAIT or CANARY
    sharing_since: datetime | None = None
    promoted: bool = False  # somebody wants it to take over without being a canary (longer)

    def rules(self, process: str) -> ProcessSettings:
        return self.settings.get(process, NOTHING_SET)


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
    rules: ProcessSettings = NOTHING_SET
    shared: bool = False  # its deployment gets requests though it does not serve
    startup: HealthCheck | None = None  # None: of web one of HTTP, else it has to run
    liveness: HealthCheck | None = None
    version: int = 0  # of its release

    @property
    def asked(self) -> bool:
        """Whether it is up when it said so, and not when it has run for a while."""
        return self.startup.kind != "running" if self.startup else self.process == WEB

    @property
    def settles(self) -> float:
        """Seconds of running after which one that is not asked counts as up."""
        return self.startup.uptime if self.startup else SETTLED_SECONDS

    @classmethod
    def of(
        cls,
        row: Instance,
        rules: ProcessSettings = NOTHING_SET,
        shared: bool = False,
        spec: ReleaseSpec | None = None,
        version: int = 0,
    ) -> "Slot":
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
            rules=rules,
            shared=shared,
            startup=spec.check(row.process, "startup") if spec else None,
            liveness=spec.check(row.process, "liveness") if spec else None,
            version=version,
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
    counting: datetime | None = None  # the requests of the switch; since when the new one is live

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
    apps = session.scalars(select(App).where(these)).all()
    formations: defaultdict[int, list[Formation]] = defaultdict(list)
    formation = select(Formation).join(App, App.id == Formation.app_id).where(these)
    for row in session.scalars(formation):
        formations[row.app_id].append(row)
    held: defaultdict[int, list[Instance]] = defaultdict(list)
    instances = select(Instance).join(App, App.id == Instance.app_id)
    instances = instances.where(these, Instance.state != "gone")
    for instance in session.scalars(instances.order_by(Instance.id)):
        held[instance.app_id].append(instance)
    asleep = set(session.scalars(select(Sleep.app_id).where(Sleep.state == ASLEEP)))
    attempts = _attempts(session, these, instances.with_only_columns(Instance.deployment_id))
    rolling = {d.app_id: d for d, _ in attempts.values() if d.status == "rolling"}
    for app in apps:
        parts = _Parts(formations[app.id], attempts)
        serving = attempts[app.serving_id][0] if app.serving_id else None
        yield Desired(
            app_id=app.id,
            app_name=app.name,
            destroyed=app.destroyed_at is not None,
            # What sleeps is left out; a release on its way has to show that it works.
            serving=parts.group(serving, left_out=WEB if app.id in asleep else ""),
            rolling=parts.group(rolling.get(app.id)),
            slots=tuple(parts.slot(row) for row in held[app.id]),
            counting=serving.ended_at if serving is not None and _counts(serving) else None,
        )


Attempt = tuple[Deployment, Release]


def _attempts(
    session: Session, these: ColumnElement[bool], of_instances: Select[int]
) -> dict[int, Attempt]:
    """Deployments that serve, roll or have instances, with their releases, by id."""
    query = select(Deployment, Release).join(Release, Release.id == Deployment.release_id)
    rolls = query.join(App, App.id == Deployment.app_id)
    found: dict[int, Attempt] = {}
    for attempts in (
        query.join(App, App.serving_id == Deployment.id).where(these),
        rolls.where(these, Deployment.status == "rolling"),
        query.where(Deployment.id.in_(of_instances)),
    ):
        for deployment, release in session.execute(attempts):
            found[deployment.id] = (deployment, release)
    return found


def _counts(serving: Deployment) -> bool:
    """Whether the requests of its switch are still counted."""
    open_ = serving.switch_requests is not None and serving.switch_ended_at is None
    return serving.status == "live" and open_


def as_slots(session: Session, app_id: int, rows: Iterable[Instance]) -> list[Slot]:
    """Instance rows of an app, as they are planned with."""
    formation = session.scalars(select(Formation).where(Formation.app_id == app_id)).all()
    held = list(rows)
    attempts: dict[int, Attempt] = {}
    for deployment_id in {row.deployment_id for row in held}:
        deployment = session.get_one(Deployment, deployment_id)
        attempts[deployment_id] = (deployment, session.get_one(Release, deployment.release_id))
    parts = _Parts(formation, attempts)
    return [parts.slot(row) for row in held]


class _Parts:
    """Groups and slots of an app; each release is read once."""

    def __init__(self, formation: Iterable[Formation], attempts: Mapping[int, Attempt]) -> None:
        self._formation = {row.process: row for row in formation}
        self._attempts = attempts
        self._releases: dict[int, tuple[int, ReleaseSpec]] = {}  # by deployment

    def group(self, deployment: Deployment | None, left_out: str = "") -> Group | None:
        if deployment is None:
            return None
        version, spec = self._release(deployment)
        formation = {process: row.quantity for process, row in self._formation.items()}
        return Group(
            deployment.id,
            version,
            {
                process: formation[process]
                for process in spec.processes
                if process not in (RELEASE_PROCESS, left_out) and formation.get(process, 0) > 0
            },
            spec.boot_timeout,
            {process: self._rules(spec, process) for process in spec.processes},
            deployment.sharing,
            deployment.sharing_since,
            deployment.promoted_at is not None,
        )

    def slot(self, row: Instance) -> Slot:
        deployment, _ = self._attempts[row.deployment_id]
        version, spec = self._release(deployment)
        rules = self._rules(spec, row.process)
        return Slot.of(row, rules, deployment.sharing == BOTH, spec, version)

    def _release(self, deployment: Deployment) -> tuple[int, ReleaseSpec]:
        """The version, and how its containers are made."""
        found = self._releases.get(deployment.id)
        if found is None:
            _, release = self._attempts[deployment.id]
            found = self._releases[deployment.id] = (release.version, ReleaseSpec.of(release))
        return found

    def _rules(self, spec: ReleaseSpec, process: str) -> ProcessSettings:
        row = self._formation.get(process)
        return ProcessSettings.layered(row.settings if row else None, spec.settings.get(process))
