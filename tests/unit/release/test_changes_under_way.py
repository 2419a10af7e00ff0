"""Changes while a push is on its way."""

import pytest
from builders import make_app, make_build, make_deployment, make_release

from hythe.errors import Conflict
from hythe.model import App, Database, Deployment, Release, Vault, Write
from hythe.release.changes import ReleaseChanges
from hythe.settings import Settings


def scene(tx: Write, vault: Vault, settings: Settings) -> App:
    app = make_app(tx)
    release = make_release(tx, vault, settings, app, image="sha256:old")
    app.serving_id = make_deployment(tx, app, release).id
    return app


def test_config_after_a_build_keeps_the_pushed_code(settings: Settings, database: Database) -> None:
    vault = Vault.open(settings.key_file)
    with database.write() as tx:
        app = scene(tx, vault, settings)
        build = make_build(tx, app, image="sha256:new")
        push = Deployment(
            app_id=app.id, kind="push", status="built", build_id=build.id, created_by="test"
        )  # waits behind an earlier release phase of the app
        tx.add(push)
        tx.flush()
        change = ReleaseChanges(settings, vault).config(tx, app, {"A": "1"}, [], False, "me")
        assert change is not None and change.id > push.id  # so it is rolled out after the push
        assert tx.get_one(Release, change.release_id).image == "sha256:new"


def test_a_restart_does_not_cancel_a_rollout(settings: Settings, database: Database) -> None:
    vault = Vault.open(settings.key_file)
    with database.write() as tx:
        app = scene(tx, vault, settings)
        release = make_release(tx, vault, settings, app, version=2, image="sha256:new")
        make_deployment(tx, app, release, "rolling")
        with pytest.raises(Conflict, match="under way"):
            ReleaseChanges(settings, vault).restart(tx, app, "me")
