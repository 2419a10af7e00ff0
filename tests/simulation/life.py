"""One life of a control plane: the run stage's own parts, wired to the simulation."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

from simulation.clock import Agenda
from simulation.wires import AtOnce, Killed, Watcher, WiredDatabase, WiredPort

from hythe.engine.memory import Memory
from hythe.engine.port import Engine
from hythe.model import Database, Vault
from hythe.names import Names
from hythe.run import health
from hythe.run.apply import Applier
from hythe.run.erase import Eraser
from hythe.run.health import Answer
from hythe.run.loop import Loop, Queue
from hythe.run.publish import Publisher
from hythe.run.routers import Routers
from hythe.settings import Settings

RESYNC_SECONDS = 15.0
Ask = Callable[[int], int | None]
"""The HTTP status that an instance answers with at its address; None is no answer."""


class PlayedProber:
    """As health.Prober: asks until an instance is ready or forgotten, and keeps its last answer."""

    def __init__(self, agenda: Agenda, ask: Ask, ring: Callable[[int], None]) -> None:
        self._agenda = agenda
        self._ask = ask
        self._ring = ring
        self._watched: dict[int, object] = {}
        self._answers: dict[int, Answer] = {}

    def watch(self, app_id: int, instance_id: int, *_: object) -> None:
        if instance_id in self._watched:
            return
        token = self._watched[instance_id] = object()

        def ask() -> None:
            if self._watched.get(instance_id) is token:
                status = self._ask(instance_id)
                self._agenda.add(0.02, lambda: keep(status))  # the answer is on its way

        def keep(status: int | None) -> None:
            if self._watched.get(instance_id) is not token:
                return
            said = f"answered {status} on /" if status else "refuses connections on port 5000"
            answer = self._answers[instance_id] = Answer(status, said)
            if answer.ready:
                self._ring(app_id)
            else:
                self._agenda.add(0.5, ask)

        self._agenda.add(0.01, ask)

    def tend(self, *_: object) -> None:
        """No release here has a liveness check."""

    def lives(self, instance_ids: Iterable[int]) -> dict[int, health.Life]:
        return {}

    def forget(self, instance_id: int) -> None:
        self._watched.pop(instance_id, None)
        self._answers.pop(instance_id, None)

    def answers(self, instance_ids: Iterable[int]) -> dict[int, Answer]:
        return {i: self._answers[i] for i in instance_ids if i in self._answers}


class Life:
    """From a start to a kill. All that it does afterwards raises Killed.

    agenda: what goes on in the world; threads: what this control plane does by the way.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        memory: Memory,
        names: Names,
        epoch: int,
        watcher: Watcher,
        agenda: Agenda,
        threads: Agenda,
        ask: Ask,
        clock: Callable[[], float],
    ) -> None:
        self.alive = True
        self._threads = threads
        database._bells.clear()  # of the life before
        database._after_commit.clear()
        self.database = WiredDatabase(database, watcher)
        instances: Any = WiredPort(memory.engine.instances, watcher)
        images: Any = WiredPort(memory.engine.images, watcher)
        engine = Engine(images, instances, memory.engine.sessions)
        vault = Vault.open(settings.key_file)
        self.queue = Queue(clock)
        self.prober: Any = PlayedProber(agenda, ask, self.queue.add)
        self.routers = Routers(
            settings.control_socket,
            lambda: self.loop.routers_changed(),
            lambda version: self.publisher.overtake(version),
            clock=clock,
        )
        self.publisher = Publisher(settings, self.database, vault, epoch, self.routers.send)
        self.applier = Applier(
            settings,
            self.database,
            engine,
            names,
            vault,
            self.prober,
            self.publisher,
            Eraser(settings, self.database, engine, names, ()),
            lambda *_: None,
            self.routers.watched,
            AtOnce(),
            self._thread(),
        )
        self.loop = Loop(
            settings,
            self.database,
            engine,
            names,
            self.applier,
            self.prober,
            self.publisher,
            self.routers,
            self.queue,
            lambda: None,
        )
        self.feed: Any = None  # the engine's events, once they are listened to

    def start(self) -> None:
        """As Loop.start: the table first, then everything is looked at."""
        self.publisher.publish()
        self._resync()

    def _resync(self) -> None:
        self.loop.resync()
        self.later(RESYNC_SECONDS, self._resync)

    def later(self, seconds: float, job: Callable[[], None]) -> None:
        """Something that this life does, unless it has ended by then."""

        def live() -> None:
            if self.alive:
                try:
                    job()
                except Killed:
                    assert not self.alive

        self._threads.add(seconds, live)

    def _thread(self) -> type[threading.Thread]:
        life = self

        class Later(threading.Thread):
            """Runs on the simulation's agenda instead of in a thread."""

            def start(self) -> None:
                life.later(0.001, self.run)

        return Later
