"""Sleep: web instances of an app that nobody asks are stopped; the next request wakes it.

First its requests are held while the instances still run (drowsy). Only when every router holds
them, and nothing is open, it falls asleep: no request, WebSocket or stream is ever cut. A request
that is held meanwhile wakes it, drowsy or asleep; the router lets it pass when an instance is up.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from hythe.model import ENDED, App, Database, Deployment, Formation, Instance, Sleep, now
from hythe.run.desired import ASLEEP, WEB
from hythe.wire import Version

AWAKE, DROWSY = "awake", "drowsy"


class Activity(Protocol):
    """What the routers tell: routers.Routers."""

    def acked(self) -> Version | None: ...
    def quiet_for(self, app: str) -> float: ...
    def in_flight(self) -> "Collection[str]": ...


@dataclass(frozen=True, slots=True)
class Seen:
    """How an app that may sleep stands."""

    state: str
    state_for: float  # seconds
    after: float  # seconds without a request
    quiet_for: float  # seconds since a request ended, as far as that is known
    open: bool  # a request, a WebSocket or a stream
    held: bool  # every router holds its requests
    settled: bool  # it serves, and no deployment is on its way


def next_state(seen: Seen) -> str:
    """The state that should follow; a function of what is seen alone."""
    if seen.state == ASLEEP:
        return ASLEEP  # only a request, or somebody, wakes it
    idle = seen.settled and not seen.open and min(seen.quiet_for, seen.state_for) >= seen.after
    if seen.state == AWAKE:
        return DROWSY if idle else AWAKE
    if seen.open or not seen.settled:
        return AWAKE
    return ASLEEP if seen.held else DROWSY


class Sleeper:
    """`look` now and then; `wake` as soon as a router holds a request."""

    def __init__(
        self,
        database: Database,
        routers: Callable[[], Activity],
        published: Callable[[], Version],
    ) -> None:
        self._database = database
        self._routers = routers
        self._published = published

    def look(self) -> None:
        """Let fall asleep whoever may."""
        with self._database.read() as session:
            rows = session.execute(
                select(Sleep, App)
                .join(App, App.id == Sleep.app_id)
                .where(Sleep.state != ASLEEP, App.destroyed_at.is_(None))
            ).all()
            moves = {
                row.app_id: (row.state, after)
                for row, app in rows
                if (after := next_state(self._seen(session, row, app))) != row.state
            }
        for app_id, (before, after) in moves.items():
            self._move(app_id, before, after)

    def wake(self, apps: Collection[str]) -> None:
        """Requests of these apps wait; those that only pause are left alone."""
        resting = (
            select(Sleep.app_id, Sleep.state)
            .join(App, App.id == Sleep.app_id)
            .where(App.name.in_(apps), Sleep.state != AWAKE)
        )
        with self._database.read() as session:
            found = session.execute(resting).all()
        for app_id, state in found:
            self._move(app_id, state, AWAKE)

    def _move(self, app_id: int, before: str, after: str) -> None:
        with self._database.write() as tx:
            row = tx.get(Sleep, app_id)
            if row is None or row.state != before:
                return  # somebody was quicker
            row.state, row.since = after, now()
            if after == ASLEEP:
                minutes = f"{row.after / 60:.3g} min"
                tx.note("app.sleep", f"Asleep: no request for {minutes}", app_id=app_id)
            elif before == ASLEEP:
                tx.note("app.wake", "Woken by a request", app_id=app_id)
            tx.poke(app_id)

    def _seen(self, session: Session, row: Sleep, app: App) -> Seen:
        routers = self._routers()
        ids = session.scalars(
            select(Instance.id).where(Instance.app_id == app.id, Instance.state != "gone")
        )
        open_at = set(routers.in_flight())
        acked = routers.acked()
        return Seen(
            state=row.state,
            state_for=_age(row.since),
            after=float(row.after),
            quiet_for=routers.quiet_for(app.name),
            open=any(f"i{number}" in open_at for number in ids),
            held=acked is not None and acked >= self._published(),
            settled=_settled(session, app),
        )


def _settled(session: Session, app: App) -> bool:
    under_way = exists().where(Deployment.app_id == app.id, Deployment.status.not_in(ENDED))
    wanted = exists().where(
        Formation.app_id == app.id, Formation.process == WEB, Formation.quantity > 0
    )
    up = exists().where(Instance.app_id == app.id, Instance.process == WEB, Instance.state == "up")
    return bool(app.serving_id and session.scalar(select(wanted & up & ~under_way)))


def _age(since: datetime) -> float:
    return (now() - since).total_seconds()
