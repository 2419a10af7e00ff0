"""What the control plane tells the collector, and how long it waits for it."""

import threading
import time
from dataclasses import dataclass

import pytest

from hythe import names as n
from hythe.engine.memory import Memory
from hythe.engine.port import ContainerSpec, Engine
from hythe.errors import EngineAway
from hythe.names import Names
from hythe.observe import collection
from hythe.observe.collection import Collection
from hythe.observe.pulse import Pulse
from hythe.observe.reader import LogReader
from hythe.observe.sources import ENDED, SOURCE, STORED, Sources
from hythe.observe.store import LogStore
from hythe.settings import Settings

NAMES = Names("abc123")
INSTANCES = {**NAMES.labels, n.LABEL_KIND: "instance"}


@dataclass
class Plane:
    """One life of a control plane, with the memory engine."""

    settings: Settings
    memory: Memory
    listed: int = 0

    def __post_init__(self) -> None:
        kept = Collection(self.settings, NAMES, LogStore(self.settings))
        self.engine: Engine = kept.watched(self.memory.engine, self._listed)
        self.sources = Sources(self.settings.home)

    def _listed(self) -> None:
        self.listed += 1

    def create(self, name: str = "web.1", kind: str = "instance") -> str:
        labels = {**NAMES.labels, n.LABEL_KIND: kind, n.LABEL_APP: "7", n.LABEL_PROCESS: "web"}
        spec = ContainerSpec(name=name, image="app:1", labels={**labels, n.LABEL_INDEX: "1"})
        return self.engine.instances.create(spec).id

    def run(self, name: str = "web.1", kind: str = "instance") -> str:
        made = self.create(name, kind)
        self.engine.instances.start(made)
        return made

    def said(self) -> dict[str, set[str]]:
        return {suffix: set(ids) for suffix, ids in self.sources.ids().items()}


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    memory.images_add("app:1")
    return memory


@pytest.fixture
def plane(settings: Settings, memory: Memory) -> Plane:
    return Plane(settings, memory)


def test_what_is_started_is_announced(plane: Plane) -> None:
    plane.create("worker.1")
    plane.run("build.1", kind="build")
    made = plane.run()
    assert plane.said() == {SOURCE: {made}, ENDED: set(), STORED: set()}
    source = plane.sources.load(made)
    assert source is not None
    assert (source.kind, source.origin.app_id, source.origin.process) == ("instance", 7, "web")


def test_a_later_control_plane_announces_what_this_one_could_not(
    plane: Plane, memory: Memory
) -> None:
    made = plane.run()
    plane.sources.forget(made)
    later = Plane(plane.settings, memory)
    later.engine.instances.list(INSTANCES)
    assert later.said()[SOURCE] == {made}
    assert later.listed == 1


def test_removal_waits_until_the_output_is_stored(plane: Plane, memory: Memory) -> None:
    pulse = Pulse(plane.settings.home)
    made = plane.run()
    removal = threading.Thread(target=plane.engine.instances.remove, args=("web.1",))
    removal.start()
    time.sleep(0.1)
    assert plane.said()[ENDED] == {made}
    assert memory.engine.instances.get(made) is not None
    plane.sources.store(made)
    removal.join(10)
    assert memory.engine.instances.get(made) is None
    assert plane.said() == {SOURCE: set(), ENDED: set(), STORED: set()}
    pulse.close()


def test_a_collector_that_is_away_for_long_holds_up_no_removal_and_the_log_says_so(
    plane: Plane, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection, "ASK_SECONDS", 0.05)
    made = plane.run()
    plane.engine.instances.remove(made)
    assert memory.engine.instances.get(made) is None
    (line,) = LogReader(plane.settings).tail(7, 10)
    assert (line.source, line.instance) == ("platform", "web.1")
    assert line.text.startswith("Error L11 (collector away): web.1 was removed before")


def test_one_that_works_but_cannot_store_is_waited_for_longer(
    plane: Plane, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection, "ASK_SECONDS", 0.05)
    monkeypatch.setattr(collection, "LONGEST_SECONDS", 0.3)
    pulse = Pulse(plane.settings.home)
    made = plane.run()
    asked = time.monotonic()
    plane.engine.instances.remove(made)
    assert time.monotonic() - asked >= 0.3
    assert memory.engine.instances.get(made) is None
    pulse.close()


def test_a_removal_that_failed_waits_again(plane: Plane, memory: Memory) -> None:
    pulse = Pulse(plane.settings.home)
    made = plane.run()
    plane.sources.store(made)
    memory.fail_next("remove", EngineAway())
    with pytest.raises(EngineAway):
        plane.engine.instances.remove(made)
    assert plane.said() == {SOURCE: {made}, ENDED: set(), STORED: set()}
    pulse.close()


def test_what_is_not_collected_is_removed_at_once(plane: Plane, memory: Memory) -> None:
    for made in (plane.create(), plane.run("build.1", kind="build")):
        plane.engine.instances.remove(made)
        assert memory.engine.instances.get(made) is None
    plane.engine.instances.remove("never there")
    assert LogReader(plane.settings).tail(7, 10) == []


def test_a_container_that_was_removed_by_hand_is_forgotten(plane: Plane, memory: Memory) -> None:
    gone, other = plane.run(), plane.run("release.1", kind="release-phase")
    memory.engine.instances.remove(gone)
    plane.engine.instances.list({**INSTANCES, n.LABEL_APP: "8"})
    assert plane.said()[SOURCE] == {gone, other}
    plane.engine.instances.list(INSTANCES)
    assert plane.said()[SOURCE] == {other}


def test_marks_of_a_container_that_nobody_announces_are_removed(
    plane: Plane, memory: Memory
) -> None:
    made = plane.run()
    plane.sources.store("gone")
    plane.sources.end("gone")
    assert Plane(plane.settings, memory).said() == {SOURCE: {made}, ENDED: set(), STORED: set()}
