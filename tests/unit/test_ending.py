"""How deployments end without going live."""

from builders import make_app, make_deployment
from sqlalchemy import select

from hythe.errors import ReleaseError
from hythe.model import App, Database, Deployment, Event, fail, supersede


def only_event(database: Database) -> Event:
    with database.read() as session:
        return session.scalars(select(Event)).one()


def test_a_failure_is_in_the_row_and_in_the_events(database: Database) -> None:
    with database.write() as tx:
        row = make_deployment(tx, make_app(tx), status="releasing")
        fail(tx, row, ReleaseError("It exited with 1."))
        assert tx.poked == {row.app_id}
    assert (row.status, row.error_code, row.error_cause, row.error_fix) == (
        "failed", "release-phase", "It exited with 1.", ReleaseError.default_fix,
    )  # fmt: skip
    assert row.ended_at is not None
    event = only_event(database)
    assert (event.kind, event.message) == ("deploy.failed", "It exited with 1.")
    assert event.data.items() >= {"deployment": row.id, "code": "release-phase"}.items()


def test_the_one_that_takes_over_is_inserted_and_named(database: Database) -> None:
    """Only one may be queued, so the older one must let go first."""
    with database.write() as tx:
        app = make_app(tx)
        old = make_deployment(tx, app, status="queued")
        new = Deployment(app_id=app.id, kind="upload", status="queued", created_by="ada")
        line = supersede(tx, [old], new)
    assert line == f"Superseded by a newer upload, d{new.id}."
    assert (old.status, old.superseded_by) == ("superseded", new.id)
    event = only_event(database)
    assert (event.kind, event.actor) == ("deploy.superseded", "ada")
    assert event.data.items() >= {"deployment": old.id, "by": new.id}.items()


def test_an_event_says_whose_it_was_when_the_app_has_gone(database: Database) -> None:
    with database.write() as tx:
        app = make_app(tx, "shop")
        tx.note("config.change", "Set A config vars", app_id=app.id, keys=["A"])
    with database.write() as tx:
        tx.delete(tx.get_one(App, app.id))
    event = only_event(database)
    assert event.app_id is None
    assert event.data == {"app": app.id, "app_name": "shop", "keys": ["A"]}


def test_the_end_of_an_app_supersedes_without_a_newer_one(database: Database) -> None:
    with database.write() as tx:
        old = make_deployment(tx, make_app(tx), status="building")
        assert supersede(tx, [old], None) == "The app is being destroyed."
    assert (old.status, old.superseded_by) == ("superseded", None)
