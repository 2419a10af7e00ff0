"""Releases without a build."""

import pytest
from builders import make_app, make_deployment, make_release
from sqlalchemy import select

from hythe.errors import Conflict, InvalidName, InvalidValue, NotFound
from hythe.model import App, ConfigVar, Database, Deployment, Release, Vault, Write
from hythe.release.changes import ReleaseChanges
from hythe.settings import Settings


@pytest.fixture
def vault(settings: Settings) -> Vault:
    return Vault.open(settings.key_file)


@pytest.fixture
def changes(settings: Settings, vault: Vault) -> ReleaseChanges:
    return ReleaseChanges(settings, vault)


def set_config(tx: Write, vault: Vault, app: App, **values: str) -> None:
    for key, value in values.items():
        tx.add(ConfigVar(app_id=app.id, key=key, value=vault.seal(value)))
    tx.flush()


@pytest.fixture
def app(settings: Settings, database: Database, vault: Vault) -> App:
    """An app that serves v2; v1 had another image and COLOUR=red."""
    with database.write() as tx:
        app = make_app(tx)
        set_config(tx, vault, app, COLOUR="blue")
        first = make_release(tx, vault, settings, app, config={"COLOUR": "red"}, image="sha256:one")
        make_deployment(tx, app, first)
        second = make_release(
            tx, vault, settings, app, version=2, config={"COLOUR": "blue"}, image="sha256:two"
        )
        app.serving_id = make_deployment(tx, app, second).id
        return app


def release_of(tx: Write, deployment: Deployment | None) -> Release:
    assert deployment is not None
    return tx.get_one(Release, deployment.release_id)


def test_config_makes_a_release_of_the_serving_image(
    app: App, database: Database, vault: Vault, changes: ReleaseChanges
) -> None:
    with database.write() as tx:
        deployment = changes.config(tx, tx.get_one(App, app.id), {"SIZE": "9"}, [], False, "me")
        release = release_of(tx, deployment)
        assert (release.version, release.image) == (3, "sha256:two")
        assert vault.unseal_map(release.config) == {"COLOUR": "blue", "SIZE": "9"}
        assert deployment is not None and deployment.status == "built"


def test_config_values_are_not_stored_in_the_clear(
    app: App, database: Database, changes: ReleaseChanges
) -> None:
    with database.write() as tx:
        changes.config(tx, tx.get_one(App, app.id), {"KEY": "s3cret-value"}, [], False, "me")
    with database.read() as session:
        stored = b"".join(session.scalars(select(ConfigVar.value)))
        stored += b"".join(session.scalars(select(Release.config)))
    assert b"s3cret-value" not in stored


def test_the_same_config_again_makes_no_release(
    app: App, database: Database, changes: ReleaseChanges
) -> None:
    with database.write() as tx:
        row = tx.get_one(App, app.id)
        assert changes.config(tx, row, {"COLOUR": "blue"}, [], False, "me") is None


def test_config_before_the_first_push_is_only_stored(
    database: Database, changes: ReleaseChanges
) -> None:
    with database.write() as tx:
        app = make_app(tx, "fresh")
        assert changes.config(tx, app, {"A": "1"}, [], False, "me") is None
        assert tx.scalar(select(ConfigVar.key)) == "A"


def test_config_builds_upon_the_release_on_its_way(
    app: App, settings: Settings, database: Database, vault: Vault, changes: ReleaseChanges
) -> None:
    with database.write() as tx:
        row = tx.get_one(App, app.id)
        third = make_release(tx, vault, settings, row, version=3, image="sha256:three")
        make_deployment(tx, row, third, "rolling")
        release = release_of(tx, changes.config(tx, row, {"A": "1"}, [], False, "me"))
        assert (release.version, release.image) == (4, "sha256:three")


@pytest.mark.parametrize("key", ["PORT", "HYTHE_X", "a-b"])
def test_bad_keys_are_refused(
    app: App, database: Database, changes: ReleaseChanges, key: str
) -> None:
    with pytest.raises(InvalidName), database.write() as tx:
        changes.config(tx, tx.get_one(App, app.id), {key: "1"}, [], False, "me")


def test_too_much_config_is_refused(app: App, database: Database, changes: ReleaseChanges) -> None:
    with pytest.raises(InvalidValue, match="64 KiB"), database.write() as tx:
        changes.config(tx, tx.get_one(App, app.id), {"A": "x" * 65536}, [], False, "me")
    with database.read() as session:
        assert session.scalar(select(ConfigVar).where(ConfigVar.key == "A")) is None


def test_an_unknown_key_cannot_be_unset(
    app: App, database: Database, changes: ReleaseChanges
) -> None:
    with pytest.raises(NotFound), database.write() as tx:
        changes.config(tx, tx.get_one(App, app.id), {}, ["NOPE"], False, "me")


def test_a_rollback_repeats_the_release_before_and_says_which_keys_change(
    app: App, database: Database, vault: Vault, changes: ReleaseChanges
) -> None:
    with database.write() as tx:
        deployment, changed = changes.rollback(tx, tx.get_one(App, app.id), None, "me")
        release = release_of(tx, deployment)
        assert (release.version, release.repeats, release.image) == (3, 1, "sha256:one")
        assert vault.unseal_map(release.config) == {"COLOUR": "red"}
        assert changed == ["COLOUR"]
        assert deployment.skip_release_phase


@pytest.mark.parametrize("status", ["fetching", "queued", "building", "releasing", "rolling"])
def test_a_rollback_ends_what_is_under_way(
    app: App, database: Database, changes: ReleaseChanges, status: str
) -> None:
    """Or a push that still builds would take the traffic back minutes later."""
    with database.write() as tx:
        older = make_deployment(tx, app, status=status)
        deployment, _ = changes.rollback(tx, tx.get_one(App, app.id), 1, "me")
        assert (older.status, older.superseded_by) == ("superseded", deployment.id)
        assert deployment.status == "built"


def test_a_rollback_leaves_what_has_the_traffic_to_its_end(
    app: App, settings: Settings, database: Database, vault: Vault, changes: ReleaseChanges
) -> None:
    with database.write() as tx:
        row = tx.get_one(App, app.id)
        third = make_release(tx, vault, settings, row, version=3)
        switched = make_deployment(tx, row, third, "rolling")
        row.serving_id = switched.id
        rebuilt = make_deployment(tx, row, status="queued", kind="rebuild")
        changes.rollback(tx, row, 1, "me")
        assert (switched.status, rebuilt.status) == ("rolling", "queued")


def test_a_rollback_leaves_current_keys_as_they_are(
    app: App, database: Database, vault: Vault, changes: ReleaseChanges
) -> None:
    with database.write() as tx:
        tx.scalars(select(ConfigVar)).one().current = True
    with database.write() as tx:
        deployment, changed = changes.rollback(tx, tx.get_one(App, app.id), 1, "me")
        assert vault.unseal_map(release_of(tx, deployment).config) == {"COLOUR": "blue"}
        assert changed == []


def test_a_rollback_needs_something_to_go_back_to(
    database: Database, changes: ReleaseChanges
) -> None:
    with database.write() as tx:
        fresh = make_app(tx, "fresh")
        with pytest.raises(Conflict, match="no earlier release"):
            changes.rollback(tx, fresh, None, "me")
        with pytest.raises(NotFound, match="v9"):
            changes.rollback(tx, fresh, 9, "me")


def test_redeploy_takes_todays_config(
    app: App, database: Database, vault: Vault, changes: ReleaseChanges
) -> None:
    with database.write() as tx:
        deployment = changes.redeploy(tx, tx.get_one(App, app.id), 1, "me")
        release = release_of(tx, deployment)
        assert (release.version, release.image) == (3, "sha256:one")
        assert vault.unseal_map(release.config) == {"COLOUR": "blue"}
        assert not deployment.skip_release_phase


def test_a_restart_is_a_deployment_without_a_release(
    app: App, database: Database, changes: ReleaseChanges
) -> None:
    with database.write() as tx:
        deployment = changes.restart(tx, tx.get_one(App, app.id), "me")
        assert release_of(tx, deployment).version == 2
        assert deployment.kind == "restart"


def test_an_app_that_never_ran_cannot_restart(database: Database, changes: ReleaseChanges) -> None:
    with database.write() as tx, pytest.raises(Conflict):
        changes.restart(tx, make_app(tx, "fresh"), "me")
