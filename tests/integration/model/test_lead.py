"""The lead of control planes on one PostgreSQL database."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from builders import make_app
from sqlalchemy import select, text

from bench.installation import until
from bench.postgres import Server
from hythe.engine.fenced import fenced
from hythe.engine.memory import Memory
from hythe.engine.port import ContainerSpec
from hythe.errors import LeadLost
from hythe.leading import Leading
from hythe.model import App, Database, connect, lead
from hythe.model.hearing import Hearing
from hythe.model.lead import LEAD_LOCK, Lead

pytestmark = pytest.mark.postgres


@pytest.fixture
def url(postgres_server: Server) -> Iterator[str]:
    with postgres_server.ready_database() as url:
        yield url


@pytest.fixture
def plane(url: str) -> Iterator[Callable[[], tuple[Database, Lead]]]:
    """Makes what one control plane has of the database."""
    made: list[tuple[Database, Lead]] = []

    def make() -> tuple[Database, Lead]:
        database = Database(url)
        database.installation()
        made.append((database, Lead(database)))
        return made[-1]

    yield make
    for database, one in made:
        one.release()
        database.close()


Plane = Callable[[], tuple[Database, Lead]]


def cut_off(server: Server, url: str) -> None:
    server.execute(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        f" AND objid = {LEAD_LOCK} AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )


def test_one_leads_and_the_other_takes_over_when_it_is_released(plane: Plane) -> None:
    (_, one), (_, other) = plane(), plane()
    assert one.try_take()
    assert not other.try_take()
    one.check()
    one.release()
    assert other.try_take()
    assert other.generation > 0
    with pytest.raises(LeadLost):
        one.check()


def test_one_that_lost_the_lead_writes_nothing_and_changes_nothing_on_the_engine(
    plane: Plane, postgres_server: Server, url: str
) -> None:
    (database, one), (_, other) = plane(), plane()
    memory = Memory()
    memory.images_add("app:1")
    assert one.try_take()
    ours = database.fenced(one.examine)
    engine = fenced(memory.engine, one.check)
    with ours.write() as tx:
        make_app(tx, "before")
    container = engine.instances.create(ContainerSpec(name="c", image="app:1"))

    cut_off(postgres_server, url)
    assert other.try_take()

    with pytest.raises(LeadLost):
        engine.instances.remove(container.id)
    assert engine.instances.get("c") is not None
    with pytest.raises(LeadLost), ours.write() as tx:
        make_app(tx, "after")
    with database.write() as tx:  # an intention, which anybody may write
        make_app(tx, "intended")
    with database.read() as session:
        assert sorted(session.scalars(select(App.name))) == ["before", "intended"]


def test_the_server_takes_the_lead_from_one_that_is_silent(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lead, "LEASE_SECONDS", 1)
    (_, one), (_, other) = plane(), plane()
    assert one.try_take()
    began = time.monotonic()
    until(other.try_take, 10)
    assert time.monotonic() - began > 0.9
    with pytest.raises(LeadLost):
        one.check()


def test_one_that_beats_keeps_the_lead(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lead, "LEASE_SECONDS", 1)
    monkeypatch.setattr(lead, "BEAT_SECONDS", 0.2)
    _, one = plane()
    assert one.try_take()
    stopping = threading.Event()
    threading.Timer(2.5, stopping.set).start()
    assert one.keep(stopping)


def test_one_that_is_stopped_in_a_transaction_does_not_hold_up_the_others(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = "-c idle_in_transaction_session_timeout=1s"
    monkeypatch.setitem(connect._POSTGRES, "options", options)
    (stopped, _), (database, _) = plane(), plane()
    with pytest.raises(Exception, match="does not answer"), stopped.write() as tx:
        make_app(tx, "stopped")
        with database.write() as others:  # waits for the write lock until the server frees it
            make_app(others, "went-on")
        tx.execute(text("SELECT 1"))
    with database.read() as session:
        assert list(session.scalars(select(App.name))) == ["went-on"]


def test_commits_of_one_ring_the_bells_of_the_other_only(plane: Plane) -> None:
    (one, _), (other, _) = plane(), plane()
    hearing, own = Hearing(other), Hearing(one)
    hearing.start()
    own.start()
    bell, mine = other.subscribe(), one.subscribe()

    def poke() -> bool:
        with one.write() as tx:
            tx.poke(7)
        return bool(bell.wait(0.2))

    until(poke)
    assert mine.wait(1) == {7}
    time.sleep(0.3)
    assert mine.wait(0) == set()  # its own commits are not heard twice
    hearing.stop()
    own.stop()


class Played:
    """A stage that notes what is asked of it."""

    def __init__(self, said: list[str]) -> None:
        self.said = said

    def start(self) -> None:
        self.said.append("start")

    def stop(self) -> None:
        self.said.append("stop")


def test_stages_start_with_the_lead_and_its_loss_starts_the_process_over(
    plane: Plane, postgres_server: Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lead, "BEAT_SECONDS", 0.1)
    said: list[str] = []
    (_, one), (_, other) = plane(), plane()
    first: Any = Leading(one, None, lambda: [Played(said)], lambda: said.append("over"))
    second: Any = Leading(other, None, lambda: [Played(said)], lambda: said.append("never"))
    first.start()
    second.start()
    assert (first.leads, second.leads) == (True, False)
    cut_off(postgres_server, url)
    until(lambda: second.leads and "over" in said)
    second.stop()
    assert sorted(said) == ["over", "start", "start", "stop"]
