"""The line: builds that wait for a slot, and what their pushers are told.

A deployment that cannot be built at once gets the row of its build at once, `queued`, so that it
can be seen and canceled. One that can has its row made by the slot that takes it.
"""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hythe import logs
from hythe.build import cancel
from hythe.model import App, Build, Database, Deployment, Write, now
from hythe.model.watch import Watch
from hythe.settings import Settings
from hythe.transcript import Transcript

RESYNC_SECONDS = 15.0

log = logs.get(__name__)


def places(session: Session) -> dict[int, int]:
    """The place in the line of each build that waits, from 1 on, by its id."""
    waiting = session.scalars(
        select(Build.id)
        .join(Deployment, Deployment.build_id == Build.id)
        .where(Build.status == "queued", Deployment.status == "queued")
        .order_by(Deployment.id)
    )
    return {build_id: place for place, build_id in enumerate(waiting, start=1)}


class Line:
    """Looks at the line on every bell."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._watch = Watch(database, "build-line", self.look, RESYNC_SECONDS)
        self._told: dict[int, int] = {}  # the place that a pusher knows, by deployment

    def start(self) -> None:
        self._watch.start()

    def stop(self) -> None:
        self._watch.stop()

    def look(self) -> None:
        """Give each deployment that waits its row, end the rows of those that do not any more."""
        with self._database.read() as session:
            due = self._without_row(session) or self._over(session)
        if due:
            with self._database.write() as tx:
                for deployment in self._without_row(tx):
                    _enroll(tx, deployment)
                tx.flush()
                for build in self._over(tx):
                    self._end(tx, build)
        self._tell()

    def _without_row(self, session: Session) -> Sequence[Deployment]:
        """Deployments that wait for a slot or an earlier build of their app, and have no row.

        A slot takes the others now; if it does not, the next look finds them again.
        """
        running = select(func.count()).select_from(Build).where(Build.status == "running")
        free = self._settings.build_slots - (session.scalar(running) or 0)
        building = select(Deployment.app_id).where(Deployment.status == "building")
        busy = set(session.scalars(building))
        queued = session.scalars(
            select(Deployment)
            .join(App, App.id == Deployment.app_id)
            .where(Deployment.status == "queued", App.destroyed_at.is_(None))
            .order_by(Deployment.id)
        ).all()
        startable = [each.id for each in queued if each.app_id not in busy][: max(free, 0)]
        known = set(session.scalars(select(Build.id).where(Build.status == "queued")))
        return [each for each in queued if each.id not in startable and each.build_id not in known]

    def _over(self, session: Session) -> Sequence[Build]:
        """Builds that were canceled in the line, or whose deployment left it."""
        waits = (
            select(Deployment.id)
            .where(Deployment.build_id == Build.id, Deployment.status == "queued")
            .exists()
        )
        query = select(Build).where(Build.status == "queued")
        return session.scalars(query.where(Build.canceled_by.is_not(None) | ~waits)).all()

    def _end(self, tx: Write, build: Build) -> None:
        deployment = tx.scalar(
            select(Deployment).where(Deployment.build_id == build.id, Deployment.status == "queued")
        )
        if deployment is not None:
            cancel.carry_out(self._settings, tx, deployment, build)
        else:  # a newer deployment took its place
            build.status, build.ended_at = "canceled", now()

    def _tell(self) -> None:
        """Tell pushers their place when it is not the one that they know."""
        with self._database.read() as session:
            line = places(session)
            found = session.execute(
                select(Deployment.id, Deployment.build_id).where(Deployment.build_id.in_(line))
            ).all()
        told = {deployment: line[build] for deployment, build in found if build}
        for deployment, place in told.items():
            if self._told.get(deployment) != place:
                ahead = "it is the next" if place == 1 else f"{place - 1} before it"
                transcript = Transcript.of(self._settings, deployment)
                transcript.step(f"Waiting in line to be built: {ahead}")
        self._told = told


def _enroll(tx: Write, deployment: Deployment) -> None:
    build = Build(app_id=deployment.app_id, source_id=deployment.source_id, status="queued")
    tx.add(build)
    tx.flush()
    deployment.build_id = build.id
