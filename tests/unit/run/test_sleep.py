"""When an app falls asleep, and what wakes it."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from builders import make_app, make_deployment, make_formation, make_release
from hypothesis import given
from hypothesis import strategies as st

from hythe.model import App, Database, Event, Instance, Sleep, Vault, now
from hythe.run import desired
from hythe.run.publish import Publisher
from hythe.run.sleep import Seen, Sleeper, next_state
from hythe.settings import Settings
from hythe.wire import RouteTable, Version

HOUR = 3600.0


@dataclass
class Played:
    """The routers' word."""

    quiet: float = HOUR
    ack: Version | None = (9, 99)
    requests: Counter[str] = field(default_factory=Counter)

    def acked(self) -> Version | None:
        return self.ack

    def quiet_for(self, app: str) -> float:
        return self.quiet

    def in_flight(self) -> Counter[str]:
        return self.requests


class Case:
    """An app with web and worker that may sleep after half an hour, and has been quiet since."""

    def __init__(self, settings: Settings, database: Database) -> None:
        vault = Vault.open(settings.key_file)
        self.database = database
        self.sent: list[RouteTable] = []
        self.publisher = Publisher(settings, database, vault, 9, self.sent.append)
        self.routers = Played()
        self.sleeper = Sleeper(database, lambda: self.routers, lambda: self.publisher.version)
        with database.write() as tx:
            app = make_app(tx)
            processes = {"web": "serve", "worker": "work"}
            release = make_release(tx, vault, settings, app, processes=processes)
            deployment = make_deployment(tx, app, release)
            app.serving_id, self.app_id = deployment.id, app.id
            make_formation(tx, app, web=1, worker=1)
            row = Instance(
                app_id=app.id, deployment_id=deployment.id, process="web", index=1,
                address="10.0.0.1", state="up",
            )  # fmt: skip
            tx.add(row)
            tx.add(Sleep(app_id=app.id, after=1800, since=now() - timedelta(hours=1)))
            tx.flush()
            self.target = f"i{row.id}"
        self.publisher.publish()

    def look(self) -> str:
        self.sleeper.look()
        self.publisher.publish()
        with self.database.read() as session:
            return session.get_one(Sleep, self.app_id).state

    @property
    def mode(self) -> str:
        return self.sent[-1].routes[0].mode

    def wanted(self) -> dict[str, int]:
        with self.database.read() as session:
            found = desired.read(session, self.app_id)
        assert found is not None and found.serving is not None
        return dict(found.serving.quantities)

    def leave(self) -> None:
        with self.database.write() as tx:
            tx.get_one(Instance, int(self.target[1:])).state = "gone"
        self.publisher.publish()


@pytest.fixture
def case(settings: Settings, database: Database) -> Case:
    return Case(settings, database)


def test_requests_are_held_before_anything_stops(case: Case) -> None:
    assert case.mode == "serve"
    assert case.look() == "drowsy"
    assert (case.mode, case.wanted()) == ("hold", {"web": 1, "worker": 1})
    assert case.look() == "asleep"
    assert (case.mode, case.wanted()) == ("hold", {"worker": 1})


def test_what_is_open_keeps_it_awake(case: Case) -> None:
    case.routers.requests[case.target] = 1
    assert case.look() == "awake"
    case.routers.requests.clear()
    assert case.look() == "drowsy"
    case.routers.requests[case.target] = 1  # it came before the router held requests
    assert case.look() == "awake"
    assert (case.mode, case.wanted()) == ("serve", {"web": 1, "worker": 1})


def test_it_waits_for_every_router(case: Case) -> None:
    case.look()
    case.routers.ack = (9, 1)
    assert case.look() == "drowsy"
    case.routers.ack = None  # no router at all
    assert case.look() == "drowsy"


def test_a_request_wakes_it_and_is_held_until_an_instance_is_up(case: Case) -> None:
    case.look()
    case.look()
    case.leave()
    case.sleeper.wake({"shop", "other"})
    assert case.wanted() == {"web": 1, "worker": 1}
    case.publisher.publish()
    assert (case.mode, case.sent[-1].routes[0].targets) == ("hold", ())
    with case.database.write() as tx:
        tx.get_one(Instance, int(case.target[1:])).state = "up"
    case.publisher.publish()
    assert case.mode == "serve"
    case.sleeper.wake({"shop"})
    with case.database.read() as session:
        kinds = [event.kind for event in session.query(Event).order_by(Event.id)]
    assert kinds == ["app.sleep", "app.wake"]


def test_a_request_of_a_drowsy_app_is_served_at_once(case: Case) -> None:
    case.look()
    case.sleeper.wake({"shop"})
    case.publisher.publish()
    assert case.mode == "serve"


def test_an_app_that_crashes_holds_nobody(case: Case) -> None:
    with case.database.write() as tx:
        row = tx.get_one(Instance, int(case.target[1:]))
        row.state, row.crashes = "crashed", 3
    case.publisher.publish()
    assert (case.mode, case.sent[-1].routes[0].error) == ("serve", "H10")


def test_a_release_on_its_way_keeps_it_awake(case: Case) -> None:
    with case.database.write() as tx:
        make_deployment(tx, tx.get_one(App, case.app_id), status="building")
    assert case.look() == "awake"


@given(
    st.builds(
        Seen,
        state=st.sampled_from(["awake", "drowsy", "asleep"]),
        state_for=st.floats(0, 5000),
        after=st.just(1800.0),
        quiet_for=st.floats(0, 5000),
        open=st.booleans(),
        held=st.booleans(),
        settled=st.booleans(),
    )
)
def test_it_never_falls_asleep_while_anything_is_open_or_may_come(seen: Seen) -> None:
    after = next_state(seen)
    if after == "asleep" != seen.state:
        assert seen.state == "drowsy" and seen.held and not seen.open and seen.settled
    if after == "drowsy" != seen.state:
        assert min(seen.quiet_for, seen.state_for) >= seen.after and not seen.open
