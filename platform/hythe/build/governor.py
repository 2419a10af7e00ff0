"""The disk governor: removes images and caches by the rules, and says why; volumes never.

It runs after builds and once an hour, in the control plane that leads. What goes is planned in
prune.py; each removal is an event. A rollback to an image that went is built again from its source.
"""

import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from hythe import logs
from hythe.build import disk, prune, stack
from hythe.build.disk import Share, Survey
from hythe.build.prune import CacheHeld, Held, Removal, Rules, Stock, figure, plan
from hythe.engine.port import Engine
from hythe.model import ENDED, App, Build, Database, Deployment, Instance, Release
from hythe.names import Names
from hythe.settings import Settings

INTERVAL_SECONDS = 3600.0
FIRST_SECONDS = 60.0  # after the start, which has enough to do
REST_SECONDS = 10.0  # between two passes, however many builds end

log = logs.get(__name__)


class Governor:
    """A thread; `wake` and `make_room` may be called from any other."""

    def __init__(
        self, settings: Settings, database: Database, engine: Engine, names: Names
    ) -> None:
        self._settings = settings
        self._database = database
        self._engine = engine
        self._names = names
        self._known: dict[str, Held] = {}  # by reference
        self._folder: list[Path | None] = []  # the engine's, once it was asked
        self._sizes: dict[Path, tuple[tuple[int, int], int]] = {}  # of caches, by what they were
        self._due = threading.Event()
        self._stopping = threading.Event()
        self._pass = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="disk-governor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._due.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def wake(self) -> None:
        """A build has ended: look soon."""
        self._due.set()

    def make_room(self) -> None:
        """Prune when a disk is nearly full; raises DiskFull when that does not help."""
        engine = self._engine_folder()
        if lacking := disk.lacking(self._settings, engine):
            self.look(time.time(), relief=lacking)
        disk.require_room(self._settings, engine)

    def look(self, now: float, relief: int = 0) -> list[Removal]:
        """One pass; returns what was removed. relief: bytes to free beyond the rules."""
        with self._pass:
            stock = self._stock()
            rules = Rules(
                self._settings.max_images,
                self._settings.image_days,
                self._settings.cache_days,
                self._settings.disk_budget,
            )
            if relief:
                below = max(stock.total() - relief, 1)
                rules = replace(rules, budget=min(rules.budget or below, below))
            removed = [each for each in plan(stock, rules, now) if self._remove(each)]
            for each in removed:
                stock = stock.without(each)
            self._survey(stock, now).save(self._settings)
            return removed

    def _engine_folder(self) -> Path | None:
        """Asked once, since the engine takes its time to say."""
        if not self._folder:
            self._folder.append(self._engine.images.folder())
        return self._folder[0]

    def _run(self) -> None:
        self._due.wait(FIRST_SECONDS)
        while not self._stopping.is_set():
            self._due.clear()
            try:
                self.look(time.time())
            except Exception as error:  # the thread must outlive an engine that is away
                log.warning("disk governor failed", error=str(error))
            self._stopping.wait(REST_SECONDS)
            self._due.wait(INTERVAL_SECONDS)

    def _stock(self) -> Stock:
        """Images first: the app of an image that is there is in the rows that are read then."""
        images = self._images()
        caches = self._caches()
        with self._database.read() as session:
            images = _dated(session, images, time.time())
            apps = session.scalars(select(App.id)).all()
            kept = {app: _kept(session, app, self._settings.rollback_images) for app in apps}
        here = [each for each in images if each.app_id in kept]  # erasing one is run/'s
        return Stock(here, caches, kept, self._bases())

    def _bases(self) -> frozenset[int]:
        """The layers of base images, of all versions and updates."""
        found = (self._engine.images.find(name) for name in self._engine.images.list(stack.PREFIX))
        return frozenset(
            number
            for image in found
            if image is not None
            for number, _ in prune.layers(image.layers, (), 0)
        )

    def _images(self) -> list[Held]:
        prefix = f"{self._names.prefix}/app"
        references = self._engine.images.list(prefix)
        self._known = {name: self._known[name] for name in references if name in self._known}
        held = []
        for reference in references:
            found = self._known.get(reference) or self._look_at(reference, prefix)
            if found is not None:
                self._known[reference] = found
                held.append(found)
        return held

    def _look_at(self, reference: str, prefix: str) -> Held | None:
        name = reference.removeprefix(prefix).partition(":")[0]
        number = name.removesuffix("-layers")
        image = self._engine.images.find(reference)
        if image is None or not number.isdecimal():
            return None
        sizes = self._engine.images.layer_sizes(image.id)
        return Held(
            reference=reference,
            app_id=int(number),
            id=image.id,
            layers=prune.layers(image.layers, sizes, image.size),
            made_at=image.created_at,
            code=name == number,
        )

    def _caches(self) -> list[CacheHeld]:
        """The caches that no build has; a folder is measured again when it was replaced."""
        held, sizes = [], {}
        for folder in (self._settings.home / "cache").glob("*"):
            layers = folder / "layers"
            try:
                facts = layers.stat()
            except OSError:
                continue
            if not folder.name.isdecimal() or (folder / "lent.json").exists():
                continue
            stamp = (facts.st_ino, facts.st_ctime_ns)
            known = self._sizes.get(folder)
            size = known[1] if known and known[0] == stamp else disk.size_of(folder)
            sizes[folder] = (stamp, size)
            held.append(CacheHeld(int(folder.name), size, facts.st_ctime))
        self._sizes = sizes
        return held

    def _remove(self, removal: Removal) -> bool:
        """Whether it went; what is in use by now stays."""
        if removal.reference is None:
            gone = self._remove_cache(removal.app_id)
        else:
            gone = self._remove_image(removal.app_id, removal.reference)
        if not gone:
            return False
        what = f"the image {removal.reference}" if removal.reference else "the build cache"
        with self._database.write() as tx:
            app = tx.get(App, removal.app_id)
            tx.note(
                "disk.prune",
                f"Removed {what} ({figure(removal.size)}): {removal.reason}",
                app_id=app.id if app else None,
                reference=removal.reference,
                bytes=removal.size,
                reason=removal.reason,
            )
        log.info("pruned", app=removal.app_id, what=what, reason=removal.reason)
        return True

    def _remove_image(self, app_id: int, reference: str) -> bool:
        with self._database.read() as session:
            kept = _kept(session, app_id, self._settings.rollback_images)
        if self._known[reference].id in kept:  # a rollback began meanwhile
            return False
        self._engine.images.remove(reference)  # the engine spares what a container uses
        return self._engine.images.find(reference) is None

    def _remove_cache(self, app_id: int) -> bool:
        """Take it out of the way while no build can begin, then delete it."""
        folder = self._settings.home / "cache" / str(app_id)
        aside = folder.with_name(f".gone-{app_id}")
        with self._database.write() as tx:
            building = select(Deployment.id).where(
                Deployment.app_id == app_id, Deployment.status == "building"
            )
            if tx.scalar(building) is not None or (folder / "lent.json").exists():
                return False
            shutil.rmtree(aside, ignore_errors=True)
            try:
                folder.rename(aside)
            except FileNotFoundError:
                return False
        shutil.rmtree(aside, ignore_errors=True)
        return True

    def _survey(self, stock: Stock, now: float) -> Survey:
        shares = {}
        caches = {each.app_id: each.size for each in stock.caches}
        for app_id in sorted({each.app_id for each in stock.images} | caches.keys()):
            own = {each.id: each for each in stock.images if each.app_id == app_id}
            shares[str(app_id)] = Share(
                images=sum(each.code for each in own.values()),
                image_bytes=stock.of_images(app_id),
                cache_bytes=caches.get(app_id, 0),
            )
        engine = self._engine_folder()
        return Survey(now, str(engine) if engine else None, stock.total(), shares)


def _dated(session: Session, images: Sequence[Held], now: float) -> list[Held]:
    """The images with the time of the last build that made each; engines do not know it.

    Builds that make the same have one image with a name for each. One that has not ended is young.
    """
    tags = {each.reference: each.reference.rpartition(":b")[2] for each in images if each.code}
    builds = {name: int(tag) for name, tag in tags.items() if tag.isdecimal()}
    query = select(Build.id, Build.ended_at).where(Build.id.in_(builds.values()))
    ended = {build: end.timestamp() if end else now for build, end in session.execute(query)}
    last: dict[tuple[int, str], float] = {}
    for each in images:
        made = ended.get(builds.get(each.reference, 0), 0.0)
        if made > last.get((each.app_id, each.id), 0.0):
            last[each.app_id, each.id] = made
    return [
        replace(each, made_at=last.get((each.app_id, each.id), each.made_at)) for each in images
    ]


def _kept(session: Session, app_id: int, rollbacks: int) -> frozenset[str]:
    """The ids of an app's images that must stay: those in use, and those for a rollback."""
    releases = (
        select(Release.image)
        .join(Deployment, Deployment.release_id == Release.id)
        .where(Release.app_id == app_id)
    )
    under_way = releases.where(Deployment.status.not_in(ENDED))
    running = releases.join(Instance, Instance.deployment_id == Deployment.id).where(
        Instance.state != "gone"
    )
    built = (
        select(Build.image)
        .join(Deployment, Deployment.build_id == Build.id)
        .where(Build.app_id == app_id, Deployment.status.not_in(ENDED), Build.image.is_not(None))
    )
    app = session.get(App, app_id)
    serving = releases.where(Deployment.id == (app.serving_id if app else None))
    kept = {image for query in (under_way, running, built, serving) for image in
            session.scalars(query) if image}  # fmt: skip
    live = releases.where(Deployment.status == "live").order_by(Release.version.desc())
    served = dict.fromkeys(session.scalars(live))  # each image once, the newest first
    return frozenset(kept | set(list(served)[:rollbacks]))
