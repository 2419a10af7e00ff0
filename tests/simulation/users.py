"""What users do, and the stages before run/: rows, written as those write them."""

from dataclasses import dataclass, field

from builders import make_app, make_formation, make_release
from simulation.clock import Clock
from sqlalchemy import func, select

from hythe.engine.memory import Memory, Program
from hythe.engine.port import Engine
from hythe.model import ENDED, App, Database, Deployment, Formation, Release, Vault, Write
from hythe.names import Names
from hythe.release.stage import ReleaseStage
from hythe.settings import Settings

GOOD, SICK, MUTE, CRASHING, MISSING = "serve", "sick", "mute", "crash", "missing"
"""What a release's web process does: answers 200, answers 500, never answers, ends with 1. The
image of a missing one is not on the engine, and nobody can build it."""


@dataclass
class Deployed:
    """What is known of a deployment."""

    id: int
    app_id: int
    quality: str
    image: str
    boot: float  # seconds until it answers
    troubled: bool = False  # something was done to it that may make a good one fail


@dataclass
class Users:
    """They remember what they asked for."""

    settings: Settings
    database: Database
    memory: Memory
    clock: Clock
    names: Names
    apps: dict[str, int] = field(default_factory=dict)  # id by name, of those not destroyed
    quantities: dict[int, list[tuple[float, int]]] = field(default_factory=dict)  # web, by app
    deployed: dict[int, Deployed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.memory.programs[(CRASHING,)] = Program(code=1)
        self.vault = Vault.open(self.settings.key_file)
        engine: Engine = self.memory.engine
        self._stage = ReleaseStage(self.settings, self.database, engine, self.names, self.vault)

    def create(self, name: str, web: int, worker: int) -> bool:
        """False while there is an app of that name."""
        with self.database.write() as tx:
            if tx.scalar(select(App).where(App.name == name)) is not None:
                return False
            app = make_app(tx, name)
            make_formation(tx, app, web=web, worker=worker)
            tx.poke(app.id)
        self.apps[name] = app.id
        self.quantities[app.id] = [(self.clock.seconds, web)]
        return True

    def scale(self, app_id: int, process: str, quantity: int) -> None:
        with self.database.write() as tx:
            query = select(Formation).where(
                Formation.app_id == app_id, Formation.process == process
            )
            tx.scalars(query).one().quantity = quantity
            tx.poke(app_id)
        if process == "web":
            self.quantities[app_id].append((self.clock.seconds, quantity))

    def destroy(self, name: str) -> None:
        app_id = self.apps.pop(name)
        with self.database.write() as tx:
            tx.get_one(App, app_id).destroyed_at = self.clock.now()
            tx.poke(app_id)

    def deploy(self, app_id: int, quality: str, boot: float) -> None:
        """A new image, released."""
        with self.database.write() as tx:
            version = self._next_version(tx, app_id)
            image = f"sha256:{app_id}-{version}"
            app = tx.get_one(App, app_id)
            self._release(tx, app, version, Deployed(0, app_id, quality, image, boot))
        if quality != MISSING:
            self.memory.images_add(image)

    def repeat(self, app_id: int, choose: int) -> None:
        """A new release of an image that is there: a config change, a rollback, a redeploy."""
        known = [d for d in self.deployed.values() if d.app_id == app_id]
        known = [d for d in known if d.image in self.memory.images]
        if known:
            old = known[-1 - choose % len(known)]
            with self.database.write() as tx:
                new = Deployed(0, app_id, old.quality, old.image, old.boot)
                self._release(tx, tx.get_one(App, app_id), self._next_version(tx, app_id), new)

    def restart(self, app_id: int) -> None:
        """A deployment of the serving release again."""
        with self.database.write() as tx:
            app = tx.get_one(App, app_id)
            if app.serving_id is None:
                return
            old = self.deployed[app.serving_id]
            serving = tx.get_one(Deployment, app.serving_id)
            lost = old.image not in self.memory.images
            new = Deployed(0, app_id, old.quality, old.image, old.boot, troubled=lost)
            self._roll(tx, app, tx.get_one(Release, serving.release_id), new, "restart")

    def replace_bad(self) -> None:
        """Deploy a good release where a bad one is live: at a scale of nought any one is."""
        with self.database.read() as session:
            serving = [app.serving_id for app in session.scalars(select(App))]
        for deployment_id in filter(None, serving):
            of = self.deployed[deployment_id]
            if of.quality != GOOD and of.app_id in self.apps.values():
                self.deploy(of.app_id, GOOD, boot=1.0)

    def build_again(self) -> None:
        """As build/ does: what run/ asked for, because an image is gone."""
        with self.database.write() as tx:
            query = select(Deployment).where(
                Deployment.kind == "rebuild", Deployment.status.not_in(ENDED)
            )
            for rebuild in tx.scalars(query).all():
                release = tx.get_one(Release, rebuild.release_id)
                of = next(d for d in self.deployed.values() if d.image == release.image)
                if of.quality != MISSING:
                    self.memory.images_add(release.image)
                rebuild.status, rebuild.ended_at = "live", self.clock.now()
                tx.poke(rebuild.app_id)

    def least(self, app_id: int, seconds: float) -> int:
        """The smallest quantity of web that was asked for in the last seconds."""
        log = self.quantities[app_id]
        since = self.clock.seconds - seconds
        recent = [quantity for at, quantity in log if at >= since]
        before = [quantity for at, quantity in log if at < since]
        return min(recent + before[-1:])

    def _next_version(self, tx: Write, app_id: int) -> int:
        newest = tx.scalar(select(func.max(Release.version)).where(Release.app_id == app_id))
        return (newest or 0) + 1

    def _release(self, tx: Write, app: App, version: int, deployed: Deployed) -> None:
        line = GOOD if deployed.quality == MISSING else deployed.quality
        release = make_release(
            tx,
            self.vault,
            self.settings,
            app,
            version=version,
            image=deployed.image,
            processes={"web": line, "worker": "work"},
        )
        self._roll(tx, app, release, deployed, "push")

    def _roll(self, tx: Write, app: App, release: Release, deployed: Deployed, kind: str) -> None:
        deployment = Deployment(
            app_id=app.id, kind=kind, status="built", release_id=release.id, created_by="test"
        )
        tx.add(deployment)
        tx.flush()
        self._stage._roll(tx, deployment)
        deployed.id = deployment.id
        self.deployed[deployment.id] = deployed
