"""The release phase: the `release` command, once, before a release takes traffic."""

import threading
import time
from collections.abc import Callable

from hythe import logs, network
from hythe import names as n
from hythe.engine.port import Container, Engine
from hythe.errors import EngineError, ReleaseError
from hythe.model import App, Database, Deployment, Release, Vault
from hythe.names import Names
from hythe.settings import Settings
from hythe.spec import RELEASE_PROCESS, container
from hythe.transcript import Transcript

WAIT_SLICE = 2.0

log = logs.get(__name__)


class ReleasePhase:
    """Runs the command in a container whose name follows from the deployment.

    A control plane that was killed meanwhile finds the container again: it runs, or it ended and
    its exit code still counts. It is removed only after the deployment has moved on, so the command
    runs once.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        engine: Engine,
        names: Names,
        vault: Vault,
    ) -> None:
        self._settings = settings
        self._database = database
        self._engine = engine
        self._names = names
        self._vault = vault
        self._leaving = threading.Event()

    def leave(self) -> None:
        """Stop waiting for containers; they go on."""
        self._leaving.set()

    def run(
        self, app: App, deployment: Deployment, release: Release, transcript: Transcript
    ) -> bool:
        """Run it to its end; False when told to leave first. Raises ReleaseError."""
        instances = self._engine.instances
        name = self._names.release_phase(app.name, deployment.id)
        found = instances.get(name)
        if found is None or found.state == "created":
            transcript.step("Running the release phase")
            found = found or self._create(app, deployment, release, name)
            instances.start(found.id)
        else:
            transcript.step("Following the release phase that was already started")
        show = threading.Thread(
            target=self._show, args=(found.id, transcript), name="release-log", daemon=True
        )
        show.start()
        started = found.started_at or time.time()
        code = self._wait(found, started + self._settings.release_timeout)
        if code is None:
            return False
        show.join(timeout=2)  # its last lines come before the next step's
        if code != 0:
            raise ReleaseError(f"The release phase of v{release.version} exited with {code}.")
        return True

    def clean(self, deployment_id: int) -> None:
        """Remove the container of a deployment's release phase."""
        number = str(deployment_id)
        self.sweep(lambda container: container.labels[n.LABEL_DEPLOYMENT] == number)

    def sweep(self, over: Callable[[Container], bool]) -> None:
        """Remove the release phases that are over; what fails now is done by the next sweep."""
        try:
            for found in self._engine.instances.list(
                {**self._names.labels, n.LABEL_KIND: "release-phase"}
            ):
                if over(found):
                    self._engine.instances.remove(found.id)
        except EngineError as error:
            log.warning("release phases left behind", cause=error.cause)

    def _create(self, app: App, deployment: Deployment, release: Release, name: str) -> Container:
        subnet = network.ensure(self._engine, self._database, self._settings, self._names, app)
        return self._engine.instances.create(
            container(
                self._names,
                app,
                release,
                self._vault.unseal_map(release.config),
                name=name,
                kind="release-phase",
                process=RELEASE_PROCESS,
                index=1,
                deployment_id=deployment.id,
                address=network.release_phase_address(subnet),
                restart=False,
            )
        )

    def _wait(self, found: Container, deadline: float) -> int | None:
        while not self._leaving.is_set():
            code = self._engine.instances.wait(found.id, WAIT_SLICE)
            if code is not None:
                return code
            if time.time() > deadline:
                self._engine.instances.stop(found.id, 5)
                raise ReleaseError(
                    f"The release phase took longer than {self._settings.release_timeout} s.",
                    "Raise HYTHE_RELEASE_TIMEOUT, or move the work out of the release phase.",
                )
        return None

    def _show(self, container_id: str, transcript: Transcript) -> None:
        try:
            for line in self._engine.instances.follow(container_id):
                transcript.detail(line)
        except EngineError as error:
            transcript.warn(f"The output of the release phase broke off: {error.cause}")
