"""The control plane's end of collection: what it tells the collector, and when it waits for it.

It stands between the stages and the engine: what the engine lists or starts is announced, and what
is to be removed waits until its log is stored. See sources.py for the files between the two.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from hythe import logs
from hythe.engine.port import Container, Engine, Instances
from hythe.errors import EngineError, HytheError
from hythe.names import LABEL_KIND, Names
from hythe.observe.pulse import silence
from hythe.observe.sources import ENDED, SOURCE, STORED, Source, Sources
from hythe.observe.store import LogStore
from hythe.settings import Settings

PATIENCE_SECONDS = 30.0
"""A collector that was silent for so long holds up no removal: one outage costs this once."""
LONGEST_SECONDS = 60.0
"""The longest wait for one that works, but cannot store (a full disk, say)."""
ASK_SECONDS = 0.5
"""The shortest wait: a collector that has just started gets the time to answer."""
LOOK_SECONDS = 0.02
NOT_STORED = (
    "Error L11 (collector away): {name} was removed before all of its output was stored;"
    " lines may be missing"
)

log = logs.get(__name__)


class Collection:
    """Which containers the collector was told of."""

    def __init__(self, settings: Settings, names: Names, store: LogStore) -> None:
        self._home = settings.home
        self._labels = names.labels
        self._sources = Sources(settings.home)
        self._store = store
        self._kinds: dict[str, str] = {}  # of what was announced, by container id
        self._lock = threading.Lock()
        said = self._sources.ids()
        for container_id in said[SOURCE]:
            source = self._sources.load(container_id)
            if source is not None:
                self._kinds[container_id] = source.kind
        for container_id in (said[ENDED] | said[STORED]) - said[SOURCE]:
            self._sources.forget(container_id)

    def watched(self, engine: Engine, listed: Callable[[], None]) -> Engine:
        """The engine, whose containers are announced and awaited from now on.

        listed: called whenever all containers of a kind were listed, as the stages do every 15 s.
        """
        instances = _Watched(engine.instances, self, self._labels, listed)
        return Engine(engine.images, cast(Instances, instances), engine.sessions)

    def announce(self, containers: Sequence[Container]) -> None:
        for container in containers:
            source = Source.of(container) if container.id not in self._kinds else None
            if source is not None:
                self._announce(source)

    def known(self, kind: str) -> frozenset[str]:
        """The ids of the announced containers of a kind."""
        with self._lock:
            return frozenset(known for known, its in self._kinds.items() if its == kind)

    def forget(self, container_id: str) -> None:
        """The container is gone."""
        with self._lock:
            self._kinds.pop(container_id, None)
        self._sources.forget(container_id)

    def go_on(self, container_id: str) -> None:
        """The container was not removed after all; the next attempt waits again."""
        self._sources.go_on(container_id)

    def complete(self, container: Container) -> None:
        """Wait until the output of a container that has ended is stored; never raises.

        Where that cannot be awaited any longer, the app's log says so.
        """
        source = Source.of(container)
        if source is None:
            return
        self.announce([container])
        try:
            self._sources.end(source.id)
            stored = self._await(source.id)
        except OSError as error:
            log.warning("log not completed", container=container.name, error=str(error))
            stored = False
        if not stored:
            origin = source.origin
            name = f"{origin.process}.{origin.index}"
            self._store.say(origin.app_id, name, origin.release, NOT_STORED.format(name=name))

    def _announce(self, source: Source) -> None:
        with self._lock:
            try:
                self._sources.announce(source)
                self._kinds[source.id] = source.kind
            except OSError as error:  # the next list tries again
                log.warning("the collector was not told", container=source.id, error=str(error))

    def _await(self, container_id: str) -> bool:
        asked = time.monotonic()
        while not self._sources.is_stored(container_id):
            waited = time.monotonic() - asked
            away = waited > ASK_SECONDS and silence(self._home) > PATIENCE_SECONDS
            if away or waited > LONGEST_SECONDS:
                log.warning("the log collector does not answer", container=container_id)
                return False
            time.sleep(LOOK_SECONDS)
        return True


class _Watched:
    """The engine's instances; see Collection.watched."""

    def __init__(
        self,
        instances: Instances,
        collection: Collection,
        labels: Mapping[str, str],
        listed: Callable[[], None],
    ) -> None:
        self._instances = instances
        self._collection = collection
        self._labels = labels
        self._listed = listed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._instances, name)

    def list(self, labels: Mapping[str, str]) -> Sequence[Container]:
        kind = labels.get(LABEL_KIND, "")
        of_a_kind = bool(kind) and labels == {**self._labels, LABEL_KIND: kind}
        before = self._collection.known(kind) if of_a_kind else frozenset()
        found = self._instances.list(labels)
        self._collection.announce(found)
        if of_a_kind:
            for gone in before - {container.id for container in found}:
                self._collection.forget(gone)  # removed by hand
            self._listed()
        return found

    def start(self, container_id: str) -> None:
        self._instances.start(container_id)
        try:
            found = self._instances.get(container_id)
        except EngineError:
            return  # the next list tells of it
        self._collection.announce([found] if found is not None else [])

    def remove(self, container_id: str) -> None:
        """Returns when its output is stored, and it is gone."""
        found = self._instances.get(container_id)
        if found is None:
            return
        self._collection.complete(found)
        try:
            self._instances.remove(found.id)
        except HytheError:
            self._collection.go_on(found.id)  # it is still there
            raise
        self._collection.forget(found.id)
