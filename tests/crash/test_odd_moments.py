"""run/ at odd moments: things that change between a look and the action, or by somebody else."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import tables
from builders import make_app, make_deployment, make_formation, make_release
from plane import Plane, Router
from sqlalchemy import select

from hythe import network
from hythe.engine.memory import Memory
from hythe.engine.port import Container
from hythe.errors import EngineAway
from hythe.model import App, Deployment, Domain, Formation, Instance, Vault, now
from hythe.names import LABEL_APP, LABEL_INSTANCE, Names
from hythe.run.loop import Loop, Queue
from hythe.settings import Settings
from hythe.transcript import Transcript

pytestmark = pytest.mark.usefixtures("fresh")  # on both databases


class Scene:
    def __init__(self, settings: Settings, **processes: int) -> None:
        self.settings = settings
        self.database = tables.ready(settings)
        self.memory = Memory()
        self.memory.images_add("sha256:one")
        self.router = Router(self.memory)
        self.vault = Vault.open(settings.key_file)
        with self.database.write() as tx:
            app = make_app(tx)
            make_formation(tx, app, **(processes or {"web": 2}))
            self.app_id = app.id
        self.plane = Plane(settings, self.database, self.memory, self.router)
        self.plane.publisher.publish()

    def deploy(
        self, version: int, image: str = "sha256:one", processes: dict[str, str] | None = None
    ) -> int:
        with self.database.write() as tx:
            app = tx.get_one(App, self.app_id)
            for other in tx.scalars(select(Deployment).where(Deployment.status == "rolling")):
                other.status = "superseded"
            tx.flush()
            release = make_release(
                tx,
                self.vault,
                self.settings,
                app,
                version=version,
                image=image,
                processes=processes,
            )
            return make_deployment(tx, app, release, "rolling").id

    def step(self, later: float = 0.0) -> Any:
        look = self.plane.look(self.app_id, later=later)
        assert look is not None
        self.plane.applier.apply(look[0], look[1].actions)
        return look[1].actions

    def settle(self) -> None:
        self.plane.converge(self.app_id)
        self.plane.bury()
        self.plane = Plane(self.settings, self.database, self.memory, self.router)
        self.plane.converge(self.app_id)

    def states(self) -> dict[int, str]:
        with self.database.read() as session:
            rows = session.scalars(select(Instance).where(Instance.state != "gone"))
            return {row.id: row.state for row in rows}

    def status(self, deployment_id: int) -> str:
        with self.database.read() as session:
            return session.get_one(Deployment, deployment_id).status


@pytest.mark.one_database("ninety instances take long, and addresses are given alike on both")
def test_a_superseded_rollout_frees_its_addresses_for_the_next_at_a_large_scale(
    settings: Settings,
) -> None:
    scene = Scene(settings, web=90)
    scene.deploy(1)
    scene.settle()
    scene.deploy(2)
    for _ in range(3):
        scene.step()
    last = scene.deploy(3)
    for _ in range(5):
        scene.step()
    scene.settle()
    assert scene.status(last) == "live"


def test_a_rollout_that_never_gets_all_addresses_fails_and_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "LAST_INSTANCE_HOST", network.FIRST_INSTANCE_HOST + 4)
    scene = Scene(settings, web=2, worker=1)  # as ps:scale refuses to
    first = scene.deploy(1, processes={"web": "serve", "worker": "work"})
    scene.settle()
    last = scene.deploy(2, processes={"web": "serve", "worker": "work"})
    scene.settle()
    assert (scene.status(first), scene.status(last)) == ("live", "failed")
    with scene.database.read() as session:
        row = session.get_one(Deployment, last)
        assert row.error_code == "network-full"
        assert session.get_one(App, scene.app_id).serving_id == first
    said, _ = Transcript.of(settings, last).read()
    assert "All 5 addresses" in said and "Scale down" in said
    assert set(scene.states().values()) == {"up"}


def test_a_rollout_without_a_free_subnet_fails_and_says_so(settings: Settings) -> None:
    scene = Scene(replace(settings, subnets="10.9.8.0/24"))
    scene.memory.engine.instances.ensure_network("another", "br0", ["10.9.8.0/24"], {})
    deployment_id = scene.deploy(1)
    scene.settle()
    with scene.database.read() as session:
        row = session.get_one(Deployment, deployment_id)
    assert (row.status, row.error_code) == ("failed", "network-full")
    assert "HYTHE_SUBNETS" in (row.error_fix or "")


def test_a_superseded_deployment_does_not_get_the_traffic(settings: Settings) -> None:
    scene = Scene(settings)
    first = scene.deploy(1)
    scene.settle()
    scene.deploy(2)
    while True:
        look = scene.plane.look(scene.app_id)
        assert look is not None
        if any(type(action).__name__ == "Switch" for action in look[1].actions):
            break
        scene.plane.applier.apply(look[0], look[1].actions)
    scene.deploy(3)  # between the look and the apply
    scene.plane.applier.apply(look[0], look[1].actions)
    with scene.database.read() as session:
        assert session.get_one(App, scene.app_id).serving_id == first


def test_a_rollout_fails_though_its_container_was_removed_by_hand(settings: Settings) -> None:
    scene = Scene(settings)
    first = scene.deploy(1)
    scene.step()
    with scene.database.write() as tx:
        for row in tx.scalars(select(Instance)):
            scene.memory.answers[row.address] = lambda: 503
            row.state = "starting"
    for box in scene.memory.engine.instances.list({}):
        scene.memory.engine.instances.remove(box.id)
    for _ in range(3):
        scene.step(later=100)
    assert scene.status(first) == "failed"


def test_an_instance_that_is_started_again_leaves_the_table_meanwhile(settings: Settings) -> None:
    scene = Scene(settings)
    scene.deploy(1)
    scene.settle()
    box = scene.memory.engine.instances.list({})[0]
    scene.memory.engine.instances.remove(box.id)
    scene.step()
    slot = int(box.labels[LABEL_INSTANCE])
    assert scene.states()[slot] == "starting"
    assert scene.router.table is not None
    assert f"i{slot}" not in [t.id for r in scene.router.table.routes for t in r.targets]


def test_an_instance_that_the_engine_restarted_is_asked_again(settings: Settings) -> None:
    scene = Scene(settings)
    scene.deploy(1)
    scene.settle()
    scene.memory.clock = lambda: (now() + timedelta(seconds=60)).timestamp()
    scene.memory.restart_engine()
    for box in scene.memory.boxes.values():
        box.restart_count = 0  # as Docker counts after a restart of its own
    assert scene.step() != (), "nobody notices that every process is a new one"


def test_a_crash_after_parking_is_seen_at_once(settings: Settings) -> None:
    """Docker sets RestartCount to 0 on `docker start` (measured: 4 -> 0)."""
    scene = Scene(settings, web=1)
    scene.deploy(1)
    scene.settle()
    box = next(iter(scene.memory.boxes.values()))
    box.restart_count = 3
    assert [type(a).__name__ for a in scene.step()] == ["Park"]
    scene.step()
    until(lambda: box.state == "exited")
    scene.step(later=400)  # started again
    assert box.restart_count == 0 and box.state == "running"
    box.restart_count = 2  # it crashes twice
    names = [type(action).__name__ for action in scene.step(later=401)]
    assert names in (["MarkRestarted"], ["Park"])


def test_a_domain_is_routed_without_a_deploy(settings: Settings) -> None:
    scene = Scene(settings)
    scene.deploy(1)
    scene.settle()
    with scene.database.write() as tx:
        tx.add(Domain(app_id=scene.app_id, host="shop.example.com"))
    loop = make_loop(scene)
    loop._pass(scene.app_id)
    assert scene.router.table is not None
    assert "shop.example.com" in scene.router.table.routes[0].hosts


def test_hung_boots_of_one_app_do_not_keep_another_from_starting(settings: Settings) -> None:
    scene = Scene(settings)
    with scene.database.write() as tx:
        app = make_app(tx, "other")
        make_formation(tx, app, web=4)
        release = make_release(tx, scene.vault, settings, app)
        deployment = make_deployment(tx, app, release)
        app.serving_id = deployment.id
        for index in range(1, 5):  # crashed once an hour ago, and answers 503 since
            tx.add(
                Instance(
                    app_id=app.id,
                    deployment_id=deployment.id,
                    process="web",
                    index=index,
                    address=f"10.0.0.{index}",
                    state="starting",
                    started_at=now() - timedelta(hours=1),
                )
            )
    scene.deploy(1)
    loop = make_loop(scene)
    for _ in range(4):
        loop._pass(scene.app_id)
    with scene.database.read() as session:
        mine = session.scalars(select(Instance).where(Instance.app_id == scene.app_id)).all()
    assert {row.state for row in mine} != {"pending"}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def make_loop(scene: Scene) -> Loop:
    return Loop(
        scene.settings,
        scene.database,
        scene.memory.engine,
        Names("abcdef"),
        scene.plane.applier,
        scene.plane.prober,
        scene.plane.publisher,
        scene.router,  # type: ignore[arg-type]
        Queue(),
        lambda: None,
    )


def test_a_container_of_an_app_that_was_made_meanwhile_stays(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is committed, and the container started, while the engine lists them."""
    scene = Scene(settings, web=1)
    scene.deploy(1)
    scene.settle()
    instances = scene.memory.engine.instances
    listed = instances.list

    def slowly(labels: dict[str, str]) -> list[Container]:
        with scene.database.write() as tx:
            tx.add(App(id=99, name="other"))
        return [replace(one, labels={**one.labels, LABEL_APP: "99"}) for one in listed(labels)]

    monkeypatch.setattr(instances, "list", slowly)
    make_loop(scene).sweep()
    assert len(listed({})) == 1


def test_an_instance_of_a_lost_subnet_gets_a_new_address(settings: Settings) -> None:
    scene = Scene(settings, web=1)
    scene.deploy(1)
    scene.settle()
    box = next(iter(scene.memory.boxes.values()))
    with scene.database.write() as tx:
        tx.get_one(App, scene.app_id).subnet = "10.9.9.0/24"  # the old one was in use
    scene.memory.engine.instances.remove(box.id)
    scene.memory.networks.clear()
    scene.memory.engine.instances.ensure_network(
        Names("abcdef").network(scene.app_id), "b", ["10.9.9.0/24"], {}
    )
    for passes in range(4):
        scene.step(later=passes)
    assert any(b.state == "running" for b in scene.memory.boxes.values())


def test_a_drain_whose_publish_failed_ends_nevertheless(settings: Settings) -> None:
    scene = Scene(settings)
    scene.deploy(1)
    scene.settle()
    with scene.database.write() as tx:
        tx.scalars(select(Formation)).one().quantity = 1
    publish = scene.plane.publisher.publish

    def broken() -> None:
        raise RuntimeError("database is locked")

    scene.plane.publisher.publish = broken  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        scene.step()
    scene.plane.publisher.publish = publish  # type: ignore[method-assign]
    for passes in range(5):
        scene.plane.publisher.refresh()  # as every pass of the loop begins
        scene.step(later=passes * 60)
    scene.plane.bury()
    assert "draining" not in scene.states().values()


def test_a_parked_container_is_stopped_though_the_first_stop_failed(settings: Settings) -> None:
    scene = Scene(settings, web=1)
    scene.deploy(1)
    scene.settle()
    box = next(iter(scene.memory.boxes.values()))
    box.restart_count = 8
    scene.memory.fail_next("stop", EngineAway())
    scene.step()
    assert list(scene.states().values()) == ["crashed"]
    scene.step()  # this stop fails
    scene.plane.bury()
    assert box.state == "running"
    scene.step()
    until(lambda: box.state == "exited")


def test_a_slot_that_drained_and_came_back_waits_for_its_own_acks(settings: Settings) -> None:
    """A start and a drain in one pass: the row ends as starting, with the old `left`."""
    scene = Scene(settings, web=1)
    scene.deploy(1)
    scene.settle()
    with scene.database.write() as tx:
        tx.scalars(select(Formation)).one().quantity = 2
    scene.step()  # the row is pending
    with scene.database.write() as tx:
        tx.scalars(select(Formation)).one().quantity = 1
    scene.step()
    assert "starting" not in scene.states().values()


def test_a_sweep_makes_due_what_has_something_to_do_and_nothing_else(settings: Settings) -> None:
    scene = Scene(settings)
    scene.deploy(1)
    scene.settle()
    loop = make_loop(scene)
    loop.sweep()
    assert loop._queue.next_due() is None
    scene.memory.engine.instances.remove(next(iter(scene.memory.boxes)))
    loop.sweep()
    assert loop._queue.next_due() is not None
    assert loop._queue.take() == scene.app_id


def test_a_sweep_leaves_containers_of_other_apps_alone_and_removes_those_of_none(
    settings: Settings,
) -> None:
    scene = Scene(settings)
    scene.deploy(1)
    scene.settle()
    box = next(iter(scene.memory.boxes.values()))
    lost = replace(box.spec, name="lost", labels={**box.spec.labels, LABEL_APP: "77"})
    scene.memory.engine.instances.create(lost)
    make_loop(scene).sweep()
    left = scene.memory.engine.instances.list({})
    assert len(left) == 2 and "lost" not in {one.name for one in left}
