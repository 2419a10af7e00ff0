import threading

import pytest
from builders import make_app
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from hythe.model import App, Database, Deployment


def test_bells_ring_after_the_commit_with_the_poked_apps(database: Database) -> None:
    bell = database.subscribe()
    with database.write() as tx:
        app = make_app(tx)
        tx.poke(app.id)
        assert bell.wait(0) == set()
    assert bell.wait(1) == {app.id}
    assert bell.wait(0) == set()


def test_a_failed_transaction_leaves_nothing_and_rings_nothing(database: Database) -> None:
    bell = database.subscribe()
    with pytest.raises(RuntimeError), database.write() as tx:
        tx.poke(make_app(tx).id)
        raise RuntimeError
    assert bell.wait(0) == set()
    with database.read() as session:
        assert session.scalar(select(App)) is None


def test_writers_wait_for_each_other_and_lose_nothing(database: Database) -> None:
    with database.write() as tx:
        app_id = make_app(tx, deploy_branch="0").id

    def add() -> None:
        for _ in range(25):
            with database.write() as tx:
                row = tx.get_one(App, app_id)
                row.deploy_branch = str(int(row.deploy_branch) + 1)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert session.get_one(App, app_id).deploy_branch == "100"


@pytest.mark.parametrize("status", ["queued", "building", "rolling"])
def test_an_app_has_one_deployment_in_each_exclusive_state(database: Database, status: str) -> None:
    with database.write() as tx:
        app_id = make_app(tx).id
    with pytest.raises(IntegrityError), database.write() as tx:
        for _ in range(2):
            tx.add(Deployment(app_id=app_id, kind="push", status=status, created_by="test"))


def test_ids_are_not_used_again(database: Database) -> None:
    with database.write() as tx:
        first = make_app(tx, "one")
        tx.flush()
        tx.delete(first)
    with database.write() as tx:
        assert make_app(tx, "two").id > first.id
