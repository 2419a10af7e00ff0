"""What the build stage does about errors that nobody expected."""

import time
from typing import Any

import pytest
from builders import make_app, make_deployment

from hythe.build.nursery import Child, Nursery
from hythe.build.stage import BuildStage
from hythe.engine.memory import Memory
from hythe.model import Build, Database, Deployment, Source, Vault
from hythe.names import Names
from hythe.settings import Settings
from hythe.transcript import Transcript


class FullDisk(Nursery):
    """It starts no process."""

    def __init__(self) -> None:
        pass

    def spawn(self, request: dict[str, Any]) -> Child:
        raise OSError(28, "No space left on device")


def queue(settings: Settings, database: Database, app_id: int) -> int:
    (settings.home / "source").mkdir(exist_ok=True)
    with database.write() as tx:
        source = Source(app_id=app_id, kind="git", path="source", created_by="test")
        tx.add(source)
        tx.flush()
        row = Deployment(app_id=app_id, kind="push", source_id=source.id, created_by="test")
        tx.add(row)
        tx.poke(app_id)
    return row.id


@pytest.mark.one_database("errors are what this is about")
@pytest.mark.parametrize("litter", [False, True])
def test_an_unexpected_error_fails_the_build_and_no_later_one(
    settings: Settings, database: Database, litter: bool
) -> None:
    """Litter: what the build left cannot be removed either."""
    with database.write() as tx:
        app = make_app(tx)
        make_deployment(tx, app)
    stage = BuildStage(
        settings,
        database,
        Memory().engine,
        Names("abcdef"),
        Vault.open(settings.key_file),
        FullDisk(),
    )
    stage.start()
    try:
        for _ in range(2):
            if litter:
                (settings.home / "cache" / str(app.id) / "lent.json").mkdir(
                    parents=True, exist_ok=True
                )
            deployment_id = queue(settings, database, app.id)
            deadline = time.monotonic() + 10
            while True:
                with database.read() as session:
                    deployment = session.get_one(Deployment, deployment_id)
                if deployment.ended or time.monotonic() > deadline:
                    break
                time.sleep(0.02)
            assert (deployment.status, deployment.error_code) == ("failed", "platform")
            with database.read() as session:
                assert session.get_one(Build, deployment.build_id).status == "failed"
            said, _ = Transcript.of(settings, deployment_id).read()
            assert "No space left on device" in said
    finally:
        stage.stop()
