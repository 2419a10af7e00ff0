"""A build stage with a real engine, and apps to give to it."""

import copy
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from hythe.build import cancel
from hythe.build.nursery import Nursery
from hythe.build.stackmaker import ensure
from hythe.build.stage import BuildStage
from hythe.engine.port import Engine
from hythe.model import App, Build, ConfigVar, Database, Deployment, Source, Vault
from hythe.names import LABEL_KIND, Names
from hythe.settings import Settings
from hythe.suite import DEFAULT
from hythe.transcript import Transcript

DEADLINE = 180.0

Files = Mapping[str, str]
Pins = Sequence[Mapping[str, Any]] | None  # of Source.buildpacks


class Builds:
    """Queues deployments of one app and waits for them."""

    def __init__(
        self, settings: Settings, database: Database, engine: Engine, names: Names, vault: Vault
    ) -> None:
        self.settings, self.database, self.engine = settings, database, engine
        self.names, self.vault = names, vault
        self.source = settings.home / "sources" / "app"
        with database.write() as tx:
            app = App(name="shop")
            tx.add(app)
            tx.flush()
            self.app_id = app.id

    def configure(self, key: str, value: str, *, build: bool) -> None:
        with self.database.write() as tx:
            sealed = self.vault.seal(value)
            tx.add(ConfigVar(app_id=self.app_id, key=key, value=sealed, build=build))

    def unset(self, key: str) -> None:
        with self.database.write() as tx:
            tx.execute(delete(ConfigVar).where(ConfigVar.key == key))

    def other_app(self) -> "Builds":
        """The same place with another app."""
        other = copy.copy(self)
        other.source = self.source.with_name("other")
        with self.database.write() as tx:
            app = App(name="other")
            tx.add(app)
            tx.flush()
            other.app_id = app.id
        return other

    def cancel(self, deployment: Deployment) -> None:
        """As the API does it, for ada."""
        with self.database.write() as tx:
            cancel.request(tx, tx.get_one(Build, deployment.build_id), "ada")

    def row(self, deployment: Deployment) -> Build:
        with self.database.read() as tx:
            return tx.get_one(Build, deployment.build_id)

    def queue(self, files: Files, buildpacks: Pins = None) -> int:
        """Replace the source by these files and queue a deployment of it."""
        subprocess.run(["rm", "-rf", str(self.source)], check=True)
        for name, content in files.items():
            file = self.source / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
            if content.startswith("#!"):
                file.chmod(0o755)
        with self.database.write() as tx:
            source = Source(
                app_id=self.app_id, kind="tarball", tree="t", created_by="test",
                path=f"sources/{self.source.name}",
            )  # fmt: skip
            source.buildpacks = list(buildpacks) if buildpacks else None
            tx.add(source)
            tx.flush()
            deployment = Deployment(
                app_id=self.app_id, kind="upload", source_id=source.id, created_by="test"
            )
            tx.add(deployment)
            tx.flush()
            tx.poke(self.app_id)
            return deployment.id

    def wait(self, deployment_id: int, *, until: Callable[[Deployment], bool]) -> Deployment:
        bell = self.database.subscribe()
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            with self.database.read() as tx:
                deployment = tx.get_one(Deployment, deployment_id)
            if until(deployment):
                return deployment
            bell.wait(0.2)
        raise AssertionError(f"still {deployment.status}:\n{self.transcript(deployment_id)}")

    def build(self, files: Files, buildpacks: Pins = None) -> tuple[Deployment, Build]:
        """Build to the end, whichever it is."""
        deployment = self.wait(
            self.queue(files, buildpacks), until=lambda each: each.status in ("built", "failed")
        )
        with self.database.read() as tx:
            return deployment, tx.get_one(Build, deployment.build_id)

    def succeed(self, files: Files, buildpacks: Pins = None) -> Build:
        deployment, build = self.build(files, buildpacks)
        assert deployment.status == "built", self.transcript(deployment.id)
        return build

    def fail(self, files: Files, buildpacks: Pins = None) -> Deployment:
        deployment, build = self.build(files, buildpacks)
        assert (deployment.status, build.status) == ("failed", "failed")
        assert f" !     {deployment.error_cause}" in self.transcript(deployment.id)
        return deployment

    def transcript(self, deployment_id: int) -> str:
        return Transcript.of(self.settings, deployment_id).read()[0]

    def newest(self) -> int:
        """The deployment that was queued last."""
        with self.database.read() as tx:
            return tx.scalars(select(Deployment.id).order_by(Deployment.id.desc())).first() or 0

    def containers(self) -> list[str]:
        """The names of what builds left; the spare waits for the next one."""
        found = self.engine.instances.list(self.names.labels)
        return [each.name for each in found if each.labels[LABEL_KIND] != "spare"]


@pytest.fixture
def names(database: Database) -> Names:
    return Names(database.installation().id)


@pytest.fixture(scope="session")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The base images; the first run on a machine makes them."""
    ensure(engine, Settings(home=tmp_path_factory.mktemp("stack")), DEFAULT, print)


@pytest.fixture
def builds(
    settings: Settings, database: Database, engine: Engine, names: Names, stack: None
) -> Iterator[Builds]:
    builds = Builds(settings, database, engine, names, Vault.open(settings.key_file))
    yield builds
    for container in engine.instances.list(names.labels):
        engine.instances.remove(container.id)
    for network in engine.instances.list_networks(names.labels):
        engine.instances.remove_network(network)
    for reference in engine.images.list(names.prefix):
        engine.images.remove(reference)


@pytest.fixture
def start(builds: Builds, nursery: Nursery) -> Iterator[Callable[..., BuildStage]]:
    """Starts build stages, with other settings if wanted; all are stopped at the end."""
    stages: list[BuildStage] = []

    def start(**changes: object) -> BuildStage:
        settings = replace(builds.settings, **changes)
        stage = BuildStage(
            settings, builds.database, builds.engine, builds.names, builds.vault, nursery
        )
        stage.start()
        stages.append(stage)
        return stage

    yield start
    for stage in stages:
        stage.stop()


@pytest.fixture
def stage(start: Callable[..., BuildStage]) -> BuildStage:
    return start()


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    nursery = Nursery.start()
    yield nursery
    nursery.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
