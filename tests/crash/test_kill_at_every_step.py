"""Kill the control plane at every step of a deploy, and start it again."""

from collections.abc import Callable

import pytest
import tables
from builders import make_app, make_deployment, make_formation, make_release
from plane import Killed, Plane, Router, app_row
from sqlalchemy import select

from hythe.appjson import AppJson
from hythe.engine.memory import Memory
from hythe.model import App, Deployment, Formation, Vault, now
from hythe.run.traffic import Traffic
from hythe.settings import Settings
from hythe.transcript import Transcript

WEB = 2

# A killed control plane's threads die as it does.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


class Scene:
    """An app with two web instances, and what is done to it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = tables.ready(settings)
        self.memory = Memory()
        self.memory.images_add("sha256:one")
        self.router = Router(self.memory)
        self.vault = Vault.open(settings.key_file)
        with self.database.write() as tx:
            app = make_app(tx)
            make_formation(tx, app, web=WEB)
            self.app_id = app.id

    def deploy(self, version: int, image: str = "sha256:one", about: AppJson | None = None) -> int:
        """Hand a new release to the run stage."""
        with self.database.write() as tx:
            app = tx.get_one(App, self.app_id)
            release = make_release(
                tx, self.vault, self.settings, app, version=version, image=image, about=about
            )
            return make_deployment(tx, app, release, "rolling").id

    def plane(self, kill_at: int | None = None) -> Plane:
        return Plane(self.settings, self.database, self.memory, self.router, kill_at)

    def settle(self) -> None:
        plane = self.plane()
        plane.converge(self.app_id)
        plane.bury()
        plane = self.plane()
        plane.converge(self.app_id)
        plane.bury()

    def running(self) -> list[str]:
        boxes = self.memory.engine.instances.list({})
        return sorted(box.labels["io.hythe.release"] for box in boxes if box.state == "running")

    def status(self, deployment_id: int) -> str:
        with self.database.read() as session:
            return session.get_one(Deployment, deployment_id).status

    def kill_at(self, step: int, check: Callable[[], None]) -> bool:
        """Run until the step, die there; False when it was over before."""
        plane = self.plane(kill_at=step)
        try:
            plane.converge(self.app_id, check)
        except Killed:
            return True
        finally:
            plane.bury()
        return plane.switch.steps > step


@pytest.fixture
def scene(fresh: Callable[[], Settings]) -> Scene:
    return Scene(fresh())


@pytest.fixture(params=[pytest.param(1, marks=pytest.mark.chaos), 4], ids=["every", "some"])
def stride(request: pytest.FixtureRequest, settings: Settings) -> int:
    """From one step at which there is a kill to the next: `bin/chaos` leaves none out.

    On PostgreSQL three times as far: a step is the same there, and takes three times as long.
    """
    return int(request.param) * (3 if settings.database_url else 1)


def each_step(play: Callable[[int], bool], stride: int) -> int:
    """Play with a kill at each of the steps until a play ends before its kill; returns the last."""
    step = 0
    while play(step):
        step += stride
        assert step < 1000
    return step


def test_a_first_deploy_converges_from_a_kill_at_any_step(
    fresh: Callable[[], Settings], stride: int
) -> None:
    def play(step: int) -> bool:
        scene = Scene(fresh())
        deployment = scene.deploy(1)
        killed = scene.kill_at(step, lambda: None)
        scene.settle()
        assert scene.status(deployment) == "live"
        assert scene.running() == ["1"] * WEB
        assert scene.router.serving("shop") == {"v1"}
        return killed

    assert each_step(play, stride) > 20


def test_the_old_release_never_stops_serving_whenever_a_deploy_is_killed(
    fresh: Callable[[], Settings], stride: int
) -> None:
    def play(step: int) -> bool:
        scene = Scene(fresh())
        scene.deploy(1)
        scene.settle()
        deployment = scene.deploy(2)

        def somebody_serves() -> None:
            assert scene.router.serving("shop") in ({"v1"}, {"v2"})

        killed = scene.kill_at(step, somebody_serves)
        somebody_serves()
        scene.settle()
        somebody_serves()
        assert scene.status(deployment) == "live"
        assert scene.running() == ["2"] * WEB
        assert scene.router.serving("shop") == {"v2"}
        return killed

    assert each_step(play, stride) > 20


def test_a_failing_release_leaves_the_old_one_whenever_it_is_killed(
    fresh: Callable[[], Settings], stride: int
) -> None:
    def play(step: int) -> bool:
        scene = Scene(fresh())
        scene.deploy(1)
        scene.settle()
        deployment = scene.deploy(2, image="sha256:missing")
        killed = scene.kill_at(step, lambda: None)
        scene.settle()
        assert scene.status(deployment) == "failed"
        assert scene.running() == ["1"] * WEB
        assert scene.router.serving("shop") == {"v1"}
        return killed

    assert each_step(play, stride) > 5


def test_a_destroyed_app_is_gone_whenever_it_is_killed(
    fresh: Callable[[], Settings], stride: int
) -> None:
    def play(step: int) -> bool:
        scene = Scene(fresh())
        scene.deploy(1)
        scene.settle()
        with scene.database.write() as tx:
            tx.get_one(App, scene.app_id).destroyed_at = now()
        killed = scene.kill_at(step, lambda: None)
        scene.settle()
        assert scene.memory.engine.instances.list({}) == []
        with scene.database.read() as session:
            assert session.get(App, scene.app_id) is None
        return killed

    assert each_step(play, stride) > 10


def test_old_group_stays_until_router_acks(scene: Scene) -> None:
    scene.deploy(1)
    scene.settle()
    scene.deploy(2)
    scene.router.acks = False
    plane = scene.plane()
    with pytest.raises(AssertionError, match="no fixed point"):
        plane.converge(scene.app_id)
    assert scene.running() == ["1", "1", "2", "2"]
    scene.router.acks = True
    plane.converge(scene.app_id)
    plane.bury()
    assert scene.running() == ["2", "2"]


def test_a_container_removed_by_hand_comes_back(scene: Scene) -> None:
    scene.deploy(1)
    scene.settle()
    instances = scene.memory.engine.instances
    instances.remove(instances.list({})[0].id)
    scene.settle()
    assert scene.running() == ["1", "1"]


def test_scaling_makes_and_removes_the_highest(scene: Scene) -> None:
    scene.deploy(1)
    scene.settle()
    for quantity in (5, 1, 0):
        with scene.database.write() as tx:
            tx.scalars(select(Formation)).one().quantity = quantity
        scene.settle()
        assert scene.running() == ["1"] * quantity
    assert app_row(scene.database, scene.app_id).serving_id is not None


@pytest.mark.one_database
@pytest.mark.parametrize(
    "web",
    [{}, {"surge": 1}, {"strategy": "canary", "canary-time": 3}, {"strategy": "all-at-once"}],
)
def test_any_way_to_take_over_goes_on_after_a_kill_at_any_step(
    fresh: Callable[[], Settings], stride: int, web: dict[str, str | int]
) -> None:
    about = AppJson.of({"formation": {"web": {"settings": web}}})

    def play(step: int) -> bool:
        scene = Scene(fresh())
        scene.deploy(1)
        scene.settle()
        deployment = scene.deploy(2, about=about)
        scene.router.counts[f"d{deployment}"] = {"v1": Traffic(1200), "v2": Traffic(4, 1)}

        def somebody_serves() -> None:
            route = scene.router.table.routes[0] if scene.router.table else None
            assert route is not None
            if route.mode == "serve":
                assert scene.router.serving("shop") in ({"v1"}, {"v2"}, {"v1", "v2"})

        killed = scene.kill_at(step, somebody_serves)
        scene.settle()
        assert scene.status(deployment) == "live"
        assert scene.running() == ["2"] * WEB
        assert scene.router.serving("shop") == {"v2"}
        with scene.database.read() as session:
            row = session.get_one(Deployment, deployment)
        assert (row.switch_requests, row.switch_failed) == (1204, 1)
        assert row.switch_ended_at is not None
        transcript = Transcript.of(scene.settings, deployment).read()[0]
        assert "1,204 requests during the switch, 1 failed (1 x 5xx of the app)" in transcript
        assert scene.router.table is not None
        assert scene.router.table.routes[0].watch == ""
        return killed

    assert each_step(play, 7 * stride) > 20  # the steps themselves are those of the tests above
