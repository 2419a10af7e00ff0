"""Somebody takes away what an app runs on, on the real engine; the loop brings it back."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import docker
import pytest
import tables
from builders import make_app, make_deployment, make_formation, make_release
from images import BUSYBOX, busybox
from sqlalchemy import select

from bench import belongings
from hythe.engine.port import ContainerSpec, Engine, ImageConfig
from hythe.model import Deployment, Event, Instance, Release, Vault, now
from hythe.names import LABEL_INSTANCE, Names
from hythe.run import probes
from hythe.run.stage import RunStage
from hythe.settings import Settings
from hythe.spec import ReleaseSpec

pytestmark = [
    pytest.mark.docker,
    pytest.mark.one_database("what differs is the engine, and that is slow"),
]

SERVE = "echo hello > /tmp/index.html; exec httpd -f -p $PORT -h /tmp"
SECONDS = 30.0


class Scene:
    """An app with one web instance, and the run stage over it."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings = replace(settings, stop_timeout=1, drain_timeout=1)
        self.engine = engine
        self.names = Names(secrets.token_hex(3))
        self.database = tables.ready(settings)
        self.vault = Vault.open(settings.key_file)
        self.image = self._own_image()
        with self.database.write() as tx:
            app = make_app(tx)
            make_formation(tx, app, web=1)
            release = make_release(tx, self.vault, self.settings, app, image=self.image)
            spec = replace(
                ReleaseSpec.of(release),
                kind="image",
                launch=("/bin/sh", "-c"),
                user=None,
                processes={"web": SERVE},
            )
            release.spec = spec.to_json()
            make_deployment(tx, app, release, "rolling")
            self.app_id = app.id
        self.stage = self._stage()
        self.stage.start()

    def _own_image(self) -> str:
        """One that no other test uses, so that it can be removed."""
        busybox(self.engine)
        spec = ContainerSpec(self.names.spare(1), BUSYBOX, labels=self.names.labels)
        made = self.engine.instances.create(spec)
        try:
            config = ImageConfig(labels=self.names.labels)
            return self.engine.images.commit(made.id, f"{self.names.prefix}-drift:1", config).id
        finally:
            self.engine.instances.remove(made.id)

    def _stage(self) -> RunStage:
        return RunStage(
            self.settings,
            self.database,
            self.engine,
            self.names,
            self.vault,
            epoch=1,
            say=lambda *_: None,
            announce=lambda: None,
            isolate=lambda: None,
        )

    def without_the_loop(self, change: Callable[[], None]) -> None:
        """While the control plane is away."""
        self.stage.stop()
        change()
        self.stage = self._stage()
        self.stage.start()

    def serves(self) -> bool:
        with self.database.read() as session:
            row = session.scalars(select(Instance).where(Instance.state == "up")).one_or_none()
        return row is not None and probes.ask(row.address, 5000, "shop", "/").ready

    def container(self) -> str | None:
        """The id of the app's container."""
        found = self.engine.instances.list(self.names.labels)
        return next((one.id for one in found if LABEL_INSTANCE in one.labels), None)

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, "it did not come about"
            time.sleep(0.05)

    def rebuilds(self) -> list[Deployment]:
        with self.database.read() as session:
            query = select(Deployment).where(Deployment.kind == "rebuild")
            return list(session.scalars(query))


@pytest.fixture
def scene(settings: Settings, engine: Engine) -> Iterator[Scene]:
    scene = Scene(settings, engine)
    try:
        scene.until(scene.serves)
        yield scene
    finally:
        scene.stage.stop()
        scene.database.close()
        label = belongings.of_installation(scene.names.installation)
        belongings.remove(label, f"{scene.names.prefix}-drift")


def test_a_container_removed_by_hand_comes_back_at_once(scene: Scene) -> None:
    first = scene.container()
    assert first is not None
    scene.engine.instances.remove(first)
    scene.until(lambda: scene.container() not in (None, first) and scene.serves())


def test_a_network_deleted_under_a_running_app_comes_back(scene: Scene) -> None:
    first = scene.container()
    assert first is not None
    network = scene.names.network(scene.app_id)
    with closing(docker.from_env()) as client:
        client.api.disconnect_container_from_network(first, network, force=True)
        client.api.remove_network(network)
    scene.stage._loop.resync()  # the engine says nothing of networks
    scene.until(lambda: scene.container() not in (None, first) and scene.serves())
    assert scene.engine.instances.list_networks(scene.names.labels) == [network]


def test_a_network_pruned_while_everything_was_stopped_comes_back(scene: Scene) -> None:
    """A container knows its network by id, and does not start in a new one of the same name."""
    first = scene.container()
    assert first is not None

    def prune() -> None:
        scene.engine.instances.stop(first, 0)
        scene.engine.instances.remove_network(scene.names.network(scene.app_id))

    scene.without_the_loop(prune)
    scene.until(lambda: scene.container() not in (None, first) and scene.serves())


def test_a_pruned_image_is_asked_for_again_and_events_say_so(scene: Scene) -> None:
    first = scene.container()
    assert first is not None

    def prune() -> None:
        scene.engine.instances.remove(first)
        scene.engine.images.remove(scene.image)

    scene.without_the_loop(prune)
    scene.until(lambda: len(scene.rebuilds()) == 1)
    with scene.database.read() as session:
        said = session.scalars(select(Event.message).where(Event.kind == "deploy.rebuild")).one()
    assert said == "The image of v1 is not on this engine; it is built again"
    again = scene._own_image()
    with scene.database.write() as tx:  # as build/ ends it
        rebuild = tx.get_one(Deployment, scene.rebuilds()[0].id)
        rebuild.status, rebuild.ended_at = "live", now()
        tx.get_one(Release, rebuild.release_id).image = again
        tx.poke(scene.app_id)
    scene.until(scene.serves)
