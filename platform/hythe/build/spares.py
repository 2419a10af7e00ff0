"""The spares: a build container that is started ahead, since a push would wait for its start.

It has mounted the folders of a workspace that no build has yet, HYTHE_HOME/builds/spare-N/. A build
takes both, gives them its own names, and uses them once. Mounts follow folders, not their names.
"""

import itertools
import os
import threading
from pathlib import Path

from hythe import network
from hythe.build import container, share, stack
from hythe.build.buildpack import MOUNTED
from hythe.build.operator import registries
from hythe.build.spare import Spare
from hythe.build.workspace import Workspace
from hythe.engine.port import Engine, Mount
from hythe.names import LABEL_KIND, Names
from hythe.settings import Settings
from hythe.suite import DEFAULT, Suite


class Spares:
    """Keeps settings.build_spares containers ready for each suite in use; safe between threads."""

    def __init__(self, settings: Settings, engine: Engine, names: Names) -> None:
        self._settings = settings
        self._engine = engine
        self._names = names
        self._labels = {**names.labels, LABEL_KIND: "spare"}
        self._numbers = itertools.count(1)
        self._ready: dict[Suite, list[tuple[Spare, Workspace]]] = {}
        self._taken: dict[Path, str] = {}  # names, by the build's folder
        self._lock = threading.Lock()

    def take(self, workspace: Workspace, suite: Suite) -> Spare | None:
        """Make a spare's folders those of a build; None when there is no spare."""
        with self._lock:
            if not self._ready.get(suite):
                return None
            spare, folders = self._ready[suite].pop()
            self._taken[workspace.folder] = spare.name
        workspace.remove()  # of an attempt that was interrupted
        folders.folder.rename(workspace.folder)
        return spare

    def drop(self, workspace: Workspace) -> None:
        """Remove the spare that a build took and had no use for. Raises EngineError."""
        with self._lock:
            name = self._taken.pop(workspace.folder, None)
        if name is not None:
            self._engine.instances.remove(name)  # absent when the build gave it another name

    def prepare(self, suite: Suite = DEFAULT) -> None:
        """Start what a suite misses, once it has base images. Raises EngineError."""
        with self._lock:
            missing = self._settings.build_spares - len(self._ready.get(suite, ()))
        bases = stack.find(self._engine, suite) if missing > 0 else None
        if bases is not None:
            spare = self._start(bases)
            with self._lock:
                self._ready.setdefault(suite, []).append(spare)

    def sweep(self) -> None:
        """Remove the spares of an earlier control plane. Raises EngineError."""
        for found in self._engine.instances.list(self._labels):
            self._engine.instances.remove(found.id)
        for folder in (self._settings.home / "builds").glob("spare-*"):
            Workspace(folder).remove()

    def _start(self, bases: stack.Stack) -> tuple[Spare, Workspace]:
        number = next(self._numbers)
        workspace = Workspace(self._folder(number))
        workspace.lay_out(container.build_uid())
        name = self._names.spare(number)
        spec = container.spec(
            self._settings,
            workspace,
            registries(),
            name=name,
            image=bases.build_id,
            labels=self._labels,
            network=network.ensure_for_builds(self._engine, self._settings, self._names),
            buildpacks=Mount(share.folder("buildpacks"), MOUNTED, read_only=True),
            seconds="infinity",
        )
        started = container.start(self._engine, spec)
        return Spare(name, started, bases, self._engine.images.assembles()), workspace

    def _folder(self, number: int) -> Path:
        return self._settings.home / "builds" / f"spare-{os.getpid()}-{number}"
