"""The watch: a thread in the build's process that ends a build which takes more than it may.

CPU, memory and processes are limits of the container. Disk and time are looked at here, and so is
what the kernel counted, which tells why a build failed. Ending is easy: the cause is handed over,
and this process ends; the supervisor removes the container and the folders.
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from hythe.build import disk
from hythe.build.cgroup import Cgroup, Counts
from hythe.build.clock import Clock
from hythe.build.prune import figure
from hythe.build.workspace import Workspace
from hythe.engine.port import Engine
from hythe.errors import (
    BuildDisk,
    BuildError,
    BuildMemory,
    BuildProcesses,
    BuildTimeout,
    EngineError,
    HytheError,
)
from hythe.settings import Settings

TICK = 0.2
MEASURE_SECONDS = 10.0  # the folders are measured so often, and when the disk fills
STUCK_SECONDS = 3.0  # of forks that are refused: such a build comes to nothing
MOST = 0.9  # of the processes that it may have


class Watch:
    """Watches from `start` on until the process ends; `seize` ends it with a cause."""

    def __init__(
        self,
        settings: Settings,
        workspace: Workspace,
        engine: Engine,
        clock: Clock,
        seize: Callable[[HytheError], None],
    ) -> None:
        self._settings = settings
        self._workspace = workspace
        self._engine = engine
        self._clock = clock
        self._seize = seize
        self._container: str | None = None
        self._cgroup: Cgroup | None = None
        self._begun = time.monotonic()
        self._free = self._space()
        self._measured = (self._begun, self._free)
        self._stuck: tuple[float, int] | None = None  # since when, and how many were refused

    def start(self) -> None:
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def container(self, container_id: str) -> None:
        """The build runs in this container from now on."""
        self._container = container_id

    def explain(self, error: HytheError) -> HytheError:
        """The error, or the limit that caused it."""
        if type(error) not in (BuildError, BuildTimeout):
            return error
        counts = self._counts()
        if counts.killed:
            return BuildMemory(
                f"The build needed more than the {figure(self._settings.build_memory)} of memory "
                f"that it may use; the kernel killed one of its programs."
            )
        if counts.refused:
            return self._processes()
        return error

    def _run(self) -> None:
        while True:
            time.sleep(TICK)
            error = self._late() or self._swarming() or self._filling()
            if error is not None:
                self._seize(self.explain(error))

    def _late(self) -> HytheError | None:
        limit = self._settings.build_timeout
        if time.monotonic() - self._begun <= limit:
            return None
        return BuildTimeout(f"The build took longer than {limit} s; it was at {self._clock.doing}.")

    def _swarming(self) -> HytheError | None:
        """Whether it has had all its processes for a while, and asked for more all the time."""
        counts = self._counts()
        if counts.processes < MOST * self._settings.build_pids or not counts.refused:
            self._stuck = None
        elif self._stuck is None:
            self._stuck = (time.monotonic(), counts.refused)
        elif time.monotonic() - self._stuck[0] > STUCK_SECONDS and counts.refused > self._stuck[1]:
            return self._processes()
        return None

    def _filling(self) -> HytheError | None:
        """Whether its folders hold too much; measured when the disk has got fuller, or at times."""
        free, now = self._space(), time.monotonic()
        limit = self._settings.build_disk
        when, then = self._measured
        if then - free > limit / 4 or now - when > MEASURE_SECONDS:
            self._measured = (now, free)
            taken = disk.size_of(self._workspace.folder)
            if taken > limit:
                return BuildDisk(
                    f"The build's folders hold {figure(taken)}, and may hold {figure(limit)}."
                )
        if free < self._settings.disk_reserve / 2:
            return BuildDisk(
                f"The disk became nearly full while the build ran: {figure(free)} are free.",
                "Free some space there; `hythe disk` says what Hythe takes.",
            )
        return None

    def _processes(self) -> BuildProcesses:
        return BuildProcesses(
            f"The build wanted more than the {self._settings.build_pids} processes that it may "
            f"have, at {self._clock.doing}."
        )

    def _counts(self) -> Counts:
        """Of the container; where it is found is asked when it is needed, off a build's path."""
        if self._cgroup is None and self._container is not None:
            with suppress(EngineError):
                found = self._engine.instances.get(self._container)
                self._cgroup = Cgroup.of(found.id, found.pid) if found and found.pid else None
            self._container = None
        return self._cgroup.read() if self._cgroup else Counts()

    def _space(self) -> int:
        facts = os.statvfs(self._settings.home)
        return facts.f_bavail * facts.f_frsize
