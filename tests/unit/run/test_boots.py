"""No more instances boot at once than may, whoever asks."""

import threading
from dataclasses import replace
from datetime import timedelta

from builders import make_app, make_deployment

from hythe.model import Database, Instance, now
from hythe.run.boots import Boots
from hythe.run.desired import Slot
from hythe.settings import Settings


def slots(database: Database, *states: str) -> list[Slot]:
    with database.write() as tx:
        app = make_app(tx)
        deployment = make_deployment(tx, app)
        rows = [
            Instance(
                app_id=app.id,
                deployment_id=deployment.id,
                process="web",
                index=number,
                address=f"10.0.0.{number}",
                state=state,
                started_at=now() if state == "starting" else None,
            )
            for number, state in enumerate(states, 1)
        ]
        tx.add_all(rows)
        tx.flush()
        return [Slot.of(row) for row in rows]


def test_those_that_boot_already_take_places(settings: Settings, database: Database) -> None:
    boots = Boots(replace(settings, parallel_starts=3), database)
    mine = slots(database, "starting", "starting", "pending", "pending")
    assert boots.free() == 1
    assert boots.take(mine[2:]) == [mine[2]]
    assert boots.free() == 0
    assert boots.take(mine[3:]) == []
    boots.give_back(mine[2])
    assert boots.take(mine[3:]) == [mine[3]]


def test_one_that_boots_may_be_started_again(settings: Settings, database: Database) -> None:
    boots = Boots(replace(settings, parallel_starts=1), database)
    (mine,) = slots(database, "starting")
    assert boots.take([mine]) == [mine]
    assert boots.take([mine]) == []


def test_one_that_hangs_holds_up_nobody(settings: Settings, database: Database) -> None:
    boots = Boots(replace(settings, parallel_starts=1), database)
    hangs, waits = slots(database, "starting", "pending")
    with database.write() as tx:
        tx.get_one(Instance, hangs.id).started_at = now() - timedelta(hours=1)
    assert boots.take([waits]) == [waits]


def test_apps_that_are_looked_at_at_once_share_the_places(
    settings: Settings, database: Database
) -> None:
    boots = Boots(replace(settings, parallel_starts=4), database)
    mine = slots(database, *["pending"] * 40)
    taken: list[Slot] = []
    threads = [
        threading.Thread(target=lambda part=part: taken.extend(boots.take(part)))
        for part in (mine[:10], mine[10:20], mine[20:30], mine[30:])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 4
