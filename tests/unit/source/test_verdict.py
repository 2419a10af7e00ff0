"""The words behind a rejected ref."""

import pytest
from builders import make_build

from hythe.errors import BuildError
from hythe.model import App, Database, Deployment, Release, Source, fail, supersede
from hythe.source.verdict import verdict


def make_deployment(
    database: Database, status: str, code: str | None = None, version: int | None = None
) -> int:
    """A deployment of an app that v1 serves."""
    with database.write() as tx:
        app = App(name="shop")
        tx.add(app)
        tx.flush()
        first = _deployment(tx, app, "live", None, 1)
        app.serving_id = first.id
        return _deployment(tx, app, status, code, version).id


def _deployment(tx, app, status, code, version):  # type: ignore[no-untyped-def]
    release = None
    if version:
        release = Release(
            app_id=app.id, version=version, description="", image="sha256:0", config=b"", spec={},
            created_by="test",
        )  # fmt: skip
        tx.add(release)
        tx.flush()
    row = Deployment(
        app_id=app.id, kind="push", status=status, error_code=code, created_by="test",
        release_id=release and release.id,
    )  # fmt: skip
    tx.add(row)
    tx.flush()
    return row


@pytest.mark.parametrize(
    ("status", "code", "version", "words"),
    [
        ("live", None, 7, None),
        ("failed", "no-buildpack", None, "build failed, v1 still serves"),
        ("failed", "release-phase", 7, "release phase failed, v1 still serves"),
        ("failed", "release-phase", None, "release phase failed, v1 still serves"),
        ("failed", "R10", 7, "v7 never became healthy, v1 still serves"),
        ("failed", "H10", 7, "v7 never became healthy, v1 still serves"),
        ("failed", "engine", 7, "v7 failed (engine), v1 still serves"),
    ],
)
def test_verdict_names_what_failed_and_what_serves(
    database: Database, status: str, code: str | None, version: int | None, words: str | None
) -> None:
    deployment_id = make_deployment(database, status, code, version)
    with database.read() as session:
        assert verdict(session, deployment_id) == words


def test_a_canceled_build_names_who_did_it(database: Database) -> None:
    deployment_id = make_deployment(database, "canceled", "build-canceled")
    with database.write() as tx:
        app = tx.get_one(App, 1)
        build = make_build(tx, app)
        build.canceled_by = "ada"
        tx.get_one(Deployment, deployment_id).build_id = build.id
    with database.read() as session:
        words = "build canceled by ada, v1 still serves"
        assert verdict(session, deployment_id) == words


def test_who_took_over_is_named(database: Database) -> None:
    deployment_id = make_deployment(database, "rolling", version=7)
    with database.write() as tx:
        old = tx.get_one(Deployment, deployment_id)
        new = Deployment(app_id=old.app_id, kind="rollback", created_by="test")
        supersede(tx, [old], new)
    with database.read() as session:
        assert verdict(session, deployment_id) == f"superseded by a newer rollback, d{new.id}"


def test_an_heir_with_the_same_code_decides(database: Database) -> None:
    """A config var that was set during the rollout of a push."""
    deployment_id = make_deployment(database, "rolling", version=7)
    with database.write() as tx:
        old = tx.get_one(Deployment, deployment_id)
        source = Source(app_id=old.app_id, kind="git", created_by="test")
        tx.add(source)
        tx.flush()
        old.source_id = source.id
        heir = Deployment(
            app_id=old.app_id, kind="config", source_id=source.id, created_by="test"
        )  # fmt: skip
        supersede(tx, [old], heir)
        heir.status = "live"
    with database.read() as session:
        assert verdict(session, deployment_id) is None
    with database.write() as tx:
        fail(tx, tx.get_one(Deployment, heir.id), BuildError())
    with database.read() as session:
        assert verdict(session, deployment_id) == "build failed, v1 still serves"


def test_first_failure_says_that_nothing_serves(database: Database) -> None:
    deployment_id = make_deployment(database, "failed", "build")
    with database.write() as tx:
        tx.get_one(App, 1).serving_id = None
    with database.read() as session:
        assert verdict(session, deployment_id) == "build failed, nothing serves yet"


def test_deployment_of_a_destroyed_app_has_a_verdict(database: Database) -> None:
    with database.read() as session:
        assert verdict(session, 1) == "the app was destroyed"
