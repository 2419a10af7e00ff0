"""The build stage: takes queued deployments, builds them, hands them on as `built`.

Each slot is a thread that claims a deployment, watches the build's process, and writes down how it
ended. Claims are compare-and-swap on rows, so that a restart in the middle of anything finds the
truth there: a build that is `running` in the database but not here was interrupted, and is built
again once.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hythe import logs, network
from hythe import suite as suites
from hythe.build import outcome, stack
from hythe.build.cache import Cache
from hythe.build.claim import Claim, Claims
from hythe.build.container import labels
from hythe.build.governor import Governor
from hythe.build.job import Request
from hythe.build.line import Line
from hythe.build.living import end_all
from hythe.build.nursery import Child, Nursery
from hythe.build.outcome import Failure
from hythe.build.spares import Spares
from hythe.build.workspace import Workspace
from hythe.engine.port import Engine
from hythe.errors import BuildInterrupted, BuildTimeout, EngineError, HytheError, PlatformError
from hythe.model import Bell, Database, Vault
from hythe.names import LABEL_APP, LABEL_KIND, Names
from hythe.settings import Settings
from hythe.suite import Suite
from hythe.transcript import Transcript

HEARTBEAT_SECONDS = 5.0
IDLE_SECONDS = 5.0  # a claim is tried at least so often, whatever bells ring
WATCH_SECONDS = 0.25
LATE_SECONDS = 5.0  # a build's own watch ends it first, and knows what it was at
ATTEMPTS = 2
REST_SECONDS = 10.0
REST_STEP = 0.25

log = logs.get(__name__)


class BuildStage:
    """Builds queued deployments in settings.build_slots threads."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        engine: Engine,
        names: Names,
        vault: Vault,
        nursery: Nursery,
        announce: Callable[[int, int], None] = lambda deployment, app: None,
    ) -> None:
        """announce: called when a deployment (its id, its app's) is about to be built."""
        self._announce = announce
        self._settings = settings
        self._engine = engine
        self._names = names
        self._nursery = nursery
        self._claims = Claims(settings, database, vault)
        self._database = database
        self._line = Line(settings, database)
        self._governor = Governor(settings, database, engine, names)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._running: dict[int, Child] = {}  # by app
        self._spares = Spares(settings, engine, names)
        self._rest = ThreadPoolExecutor(1, thread_name_prefix="build-rest")

    def start(self) -> None:
        self._sweep()
        self._rest.submit(self._prepare_spare)
        for number in range(self._settings.build_slots):
            thread = threading.Thread(target=self._slot, name=f"build-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)
        self._line.start()
        self._governor.start()

    def stop(self) -> None:
        """End builds that run; the next start builds them again."""
        self._stopping.set()
        self._line.stop()
        self._governor.stop()
        self._database.ring(0)  # wakes the slots
        for thread in self._threads:
            thread.join()
        self._rest.shutdown()
        self._spares.sweep()

    def forget(self, app_id: int) -> None:
        """End a build of a destroyed app, and remove its containers and its cache."""
        child = self._running.get(app_id)
        if child is not None:
            child.kill()
        mine = {**self._names.labels, LABEL_KIND: "build", LABEL_APP: str(app_id)}
        for container in self._engine.instances.list(mine):
            self._engine.instances.remove(container.id)
        Cache.of(self._settings, app_id).remove()

    def _slot(self) -> None:
        bell = self._database.subscribe()
        while not self._stopping.is_set():
            try:
                claim = self._claims.take()
                if claim is None:
                    bell.wait(IDLE_SECONDS)
                    continue
                self._build(claim, bell)
            except Exception as error:  # a slot must outlive whatever one build meets
                log.error("build slot failed", exc_info=error)
                self._stopping.wait(IDLE_SECONDS)

    def _build(self, claim: Claim, bell: Bell) -> None:
        started = time.monotonic()
        log.info("build started", app=claim.app, build=claim.build_id, attempt=claim.attempts)
        self._announce(claim.deployment_id, claim.app_id)
        transcript = Transcript.of(self._settings, claim.deployment_id)
        try:
            try:
                end = self._attempt(claim, transcript, bell)
            except HytheError as error:
                end = Failure.of(error)
            except Exception as error:  # the pusher is told, whatever it was
                log.error("build broke", build=claim.build_id, exc_info=error)
                end = Failure.of(PlatformError(f"The build broke inside Hythe: {error!r}"[:300]))
            self._finish(claim, end, transcript)
        finally:
            self._claims.drop(claim)
        log.info(
            "build ended", app=claim.app, build=claim.build_id, seconds=time.monotonic() - started
        )

    def _finish(
        self, claim: Claim, end: dict[str, Any] | Failure | None, transcript: Transcript
    ) -> None:
        """Write down how it ended. Success is told first, the rest of the work is off its path."""
        if isinstance(end, dict) and self._claims.succeed(claim, end):
            self._rest.submit(self._tidy_later, claim)
            return
        self._tidy(claim)
        if not self._claims.give_up(claim) and isinstance(end, Failure):
            transcript.warn(end.cause)
            transcript.warn(end.fix)
            self._claims.fail(claim, end)

    def _attempt(
        self, claim: Claim, transcript: Transcript, bell: Bell
    ) -> dict[str, Any] | Failure | None:
        """Run one attempt; None when it was given up."""
        if claim.attempts > ATTEMPTS:
            raise BuildInterrupted
        if claim.attempts > 1:
            self._clean(claim)
            transcript.step("The build was interrupted; building again")
        self._governor.make_room()
        child = self._nursery.spawn(self._request(claim).as_json())
        self._running[claim.app_id] = child
        try:
            if not self._watch(claim, child, bell):
                return None
        finally:
            if self._running.get(claim.app_id) is child:  # else the app's next build began already
                del self._running[claim.app_id]
            child.kill()
            child.wait(HEARTBEAT_SECONDS)
        return outcome.read(Workspace.of(self._settings, claim.build_id))

    def _watch(self, claim: Claim, child: Child, bell: Bell) -> bool:
        """Wait for the child, with heartbeats; False when the build is not wanted any more."""
        deadline = time.monotonic() + self._settings.build_timeout + LATE_SECONDS
        beat = time.monotonic() + HEARTBEAT_SECONDS
        while not child.wait(WATCH_SECONDS):
            if self._stopping.is_set():
                return False
            if time.monotonic() > deadline:
                raise BuildTimeout(f"The build took longer than {self._settings.build_timeout} s.")
            if claim.app_id in bell.wait(0) or time.monotonic() > beat:
                beat = time.monotonic() + HEARTBEAT_SECONDS
                if not self._claims.beat(claim):
                    return False
        return True

    def _request(self, claim: Claim) -> Request:
        workspace = Workspace.of(self._settings, claim.build_id)
        spare = None if claim.image else self._spares.take(workspace, _suite(claim))
        return Request(
            settings=self._settings.to_json(),
            installation=self._names.installation,
            app_id=claim.app_id,
            app=claim.app,
            deployment_id=claim.deployment_id,
            build_id=claim.build_id,
            source=str(self._settings.home / claim.source),
            tree=claim.tree,
            last=claim.last,
            image=claim.image,
            login=claim.login,
            procfile=claim.procfile,
            buildpacks=claim.buildpacks,
            env=claim.env,
            network=network.ensure_for_builds(self._engine, self._settings, self._names),
            spare=spare.as_json() if spare else None,
        )

    def _tidy(self, claim: Claim) -> None:
        """Leave nothing behind; what cannot be removed now is removed before the next attempt."""
        try:
            self._clean(claim)
        except (EngineError, OSError) as error:
            log.warning("build left something behind", build=claim.build_id, error=str(error))

    def _tidy_later(self, claim: Claim) -> None:
        """Once the rollout is over: the engine's work would slow the start of its instances."""
        patience = time.monotonic() + REST_SECONDS
        while self._claims.goes_on(claim) and time.monotonic() < patience:
            if self._stopping.wait(REST_STEP):
                break
        self._prepare_spare(_suite(claim))
        self._tidy(claim)
        Cache.of(self._settings, claim.app_id).look()
        self._governor.wake()

    def _prepare_spare(self, suite: Suite = suites.DEFAULT) -> None:
        try:
            if not self._stopping.is_set():
                self._spares.prepare(suite)
        except (EngineError, OSError) as error:  # builds do without
            log.warning("no spare build container", error=str(error))

    def _sweep(self) -> None:
        """Remove what an earlier control plane left; caches get back what is unchanged."""
        end_all(self._settings)
        try:
            self._spares.sweep()
            for found in self._engine.instances.list({**self._names.labels, LABEL_KIND: "build"}):
                self._engine.instances.remove(found.id)
            self._sweep_stack()
        except EngineError as error:
            log.warning("build containers left behind", error=error.cause)
        for folder in (self._settings.home / "cache").glob("*"):
            Cache(folder).recover()
        for folder in (self._settings.home / "builds").glob("*"):
            Workspace(folder).remove()

    def _sweep_stack(self) -> None:
        """Remove the half-made base images of a build that was ended meanwhile."""
        if any(stack.folder(self._settings).glob("*/")):
            from hythe.build import stackmaker  # late: it is seldom needed

            stackmaker.sweep(self._engine, self._settings)

    def _clean(self, claim: Claim) -> None:
        """Remove the build's containers and folders; give the cache back what is unchanged."""
        for container in self._engine.instances.list(
            labels(self._names, claim.app_id, claim.build_id)
        ):
            self._engine.instances.remove(container.id)
        self._engine.instances.remove(self._names.build(claim.app, claim.build_id))  # was a spare
        workspace = Workspace.of(self._settings, claim.build_id)
        self._spares.drop(workspace)
        self._sweep_stack()
        Cache.of(self._settings, claim.app_id).recover(workspace.layers)
        workspace.remove()


def _suite(claim: Claim) -> Suite:
    """The suite of the build as far as its rows tell; its project.toml may name another."""
    return suites.find(claim.env.get(suites.KEY, "")) or suites.DEFAULT
