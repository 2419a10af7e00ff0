"""A history played: one thing at a time, in an order that a seed decides, on simulated time.

Whatever runs in threads in the real control plane runs here in pieces: a pass, a stop, a message.
Around each call of the engine other pieces may run whole, as if in other threads; there the
events of the history happen, and there the control plane may die.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from simulation import settled
from simulation.clock import Agenda, Clock
from simulation.events import HAPPENS, Event
from simulation.fleet import PlayedRouter
from simulation.life import Life
from simulation.rules import ENDS, Broken, Rules
from simulation.users import GOOD, Users
from simulation.wires import Killed

from hythe.engine.fenced import CHANGES
from hythe.engine.memory import Memory
from hythe.engine.memory.world import Box
from hythe.engine.port import Instances
from hythe.errors import DatabaseAway, HytheError
from hythe.model import Database, Instance
from hythe.names import LABEL_DEPLOYMENT, LABEL_INSTANCE, LABEL_PROCESS, Names
from hythe.settings import Settings

DEEPEST = 3  # pieces inside of pieces
LONGEST = 3600.0  # seconds of simulated time until it must have converged
QUIET_SECONDS = 100.0  # longer than a healthy instance takes to be forgiven its crashes


class Simulation:
    def __init__(self, settings: Settings, database: Database, clock: Clock, seed: int) -> None:
        self.settings = settings
        self.database = database
        self.clock = clock
        self.agenda = Agenda(clock)  # the world's: routers, the engine, answers
        self.threads = Agenda(clock)  # the control plane's
        self.random = random.Random(seed)
        self.memory = Memory()
        self.memory.clock = self.clock.unix
        self.names = Names("abcdef")
        self.epoch = database.installation().epoch
        self.users = Users(settings, database, self.memory, self.clock, self.names)
        self.rules = Rules(self)
        self.router = PlayedRouter(self.clock, self.agenda, self.random, self.rules.after_table)
        self.steps = 0
        self.hung: set[str] = set()  # containers that do not answer
        self.slow_calls: list[float] = []  # seconds that the next calls take
        self.failing_commits = 0
        self.deaf_until = 0.0
        self._failing: list[tuple[str, Exception, bool]] = []
        self._history: list[Event] = []
        self._countdown = 0
        self._paused_until = 0.0
        self._depth = 0
        self.changed_at = 0.0  # when the engine was last changed by the control plane
        self.life: Life | None = None
        self._live()
        for job in (self._engine_ticks, self._feed, self._dial, self._build):
            job()

    # The history

    def play(self, history: Sequence[Event]) -> None:
        """Let it all happen, then let everything heal, and see that nothing is left to do."""
        self._history = list(history)
        self._countdown = history[0].after if history else 0
        while self._history:
            self._step()
        self._heal()
        self.changed_at = self.clock.seconds
        end = self.clock.seconds + LONGEST
        while self.clock.seconds < self.changed_at + QUIET_SECONDS or not settled.looks(self):
            until = max(self.clock.seconds + 5.0, self.changed_at + QUIET_SECONDS)
            while self.clock.seconds < until:
                self._step()
            if self.clock.seconds > end:
                raise AssertionError(f"it never ends: {settled.what_moves(self)}")
        settled.check(self)

    def pause(self, seconds: float) -> None:
        """Nothing of the history happens for so long."""
        self._paused_until = self.clock.seconds + seconds

    def trouble(self, box: Box) -> None:
        """A fault hits a container."""
        self.rules.touched.add(box.labels.get(LABEL_INSTANCE, ""))
        deployment_id = int(box.labels.get(LABEL_DEPLOYMENT, 0))
        if deployment_id in self.users.deployed:
            self.users.deployed[deployment_id].troubled = True

    def trouble_all(self) -> None:
        """Something that any deployment may fail by."""
        for deployed in self.users.deployed.values():
            deployed.troubled = True

    @contextmanager
    def by_hand(self) -> Iterator[None]:
        """What is done to the engine whether or not it answers the control plane."""
        away, self.memory.away = self.memory.away, False
        yield
        self.memory.away = away

    def engine_back(self) -> None:
        self.memory.away = False
        self.memory.break_feeds()

    def fail_call(self, operation: str, error: Exception, *, answered: bool) -> None:
        """The next call of this name fails; `answered`: after the engine has done it."""
        self._failing.append((operation, error, answered))

    def kill(self, seconds: float) -> None:
        """The control plane dies, and is started again so much later."""
        if self.life is not None:
            self.life.alive = False
            self.life = None
            self.router.hang_up()
            self.agenda.add(seconds, self._live)

    def request(self, pick: int, seconds: float) -> None:
        """Somebody sends a request, which takes so long; it must find a process that answers."""
        routes = [r for r in self.router.tables.ledger.routes.values() if r.targets]
        if routes:
            route = routes[pick % len(routes)]
            target = route.targets[pick // 2 % len(route.targets)].id
            self.router.open[target] += 1
            self.agenda.add(seconds, lambda: self._answered(target))

    def status(self, box: Box) -> int | None:
        """What a running container answers with."""
        deployed = self.users.deployed[int(box.labels[LABEL_DEPLOYMENT])]
        booted = self.clock.unix() - (box.started_at or 0.0) >= deployed.boot
        if box.id in self.hung or not booted or box.labels[LABEL_PROCESS] != "web":
            return None
        return {GOOD: 200, "sick": 500}.get((box.spec.command or ("",))[0])

    # What a life of the control plane is told (wires.Watcher)

    def before_call(self, operation: str, arguments: tuple[Any, ...]) -> None:
        life = self.life
        if life is None:
            raise Killed
        if life.database.writing:
            raise Broken(f"{operation} inside of a write transaction")
        self._between(life)
        if self.slow_calls:
            self._pass_time(self.slow_calls.pop(0))
            self._alive(life)
        self.clock.seconds += self.random.choice((0.002, 0.01, 0.1))
        self._fail(operation, answered=False)
        if operation in ENDS:
            self.rules.before_end(operation, arguments[0])

    def after_call(self, operation: str) -> None:
        life = self.life
        if life is None:
            raise Killed
        if operation in CHANGES[Instances]:
            self.changed_at = self.clock.seconds
            self.rules.own_containers(self.router)
        self._between(life)
        self._fail(operation, answered=True)

    def around_commit(self, open_transaction: bool) -> None:
        if self.life is None:
            raise Killed
        if self._history and self._history[0].what == "kill" and self._counted():
            self._happen()
            raise Killed
        if open_transaction and self.failing_commits:
            self.failing_commits -= 1
            raise DatabaseAway("The database is locked.")

    def _between(self, life: Life) -> None:
        """Another thread may run, an event may happen, and this life may end."""
        self.steps += 1
        self._world()
        if self._history and self._counted():
            self._happen()
        if self._depth < DEEPEST and self.random.random() < 0.2:
            self._piece()
        self._alive(life)

    def _alive(self, life: Life) -> None:
        if not life.alive:
            raise Killed

    def _fail(self, operation: str, *, answered: bool) -> None:
        for failing in self._failing:
            if failing[0] == operation and failing[2] == answered:
                self._failing.remove(failing)
                self.trouble_all()
                raise failing[1]

    # Pieces

    def _step(self) -> None:
        """One piece; when none is due, time passes."""
        self.steps += 1
        self._world()
        if self._history and self._counted():
            self._happen()
        if not self._piece():
            self._to_next()

    def _counted(self) -> bool:
        if self.clock.seconds < self._paused_until:
            return False
        self._countdown -= 1
        return self._countdown < 0

    def _happen(self) -> None:
        event = self._history.pop(0)
        self._countdown = self._history[0].after if self._history else 0
        HAPPENS[event.what](self, event.pick)

    def _piece(self) -> bool:
        """Do one thing that is due, if there is one."""
        self._depth += 1
        try:
            pieces = [self._look, self._thread]
            self.random.shuffle(pieces)
            return any(piece() for piece in pieces)
        finally:
            self._depth -= 1

    def _look(self) -> bool:
        """A worker of the loop takes an app that is due."""
        life = self.life
        if life is None:
            return False
        try:
            life.loop.listen(0)
            due = life.queue.next_due()
            if due is None or due > self.clock.seconds:
                return False
            app_id = life.queue.take()
            assert app_id is not None
            life.loop.work(app_id)
        except Killed:
            assert not life.alive
        return True

    def _thread(self) -> bool:
        job = self.threads.take()
        if job is not None:
            job()
        return job is not None

    def _world(self) -> None:
        """What does not wait for the control plane."""
        while (job := self.agenda.take()) is not None:
            job()

    def _to_next(self) -> None:
        """Nothing is due: time passes until something is."""
        times = [self.agenda.next_due(), self.threads.next_due()]
        if self.life is not None:
            times.append(self.life.queue.next_due())
        self.clock.seconds = max(self.clock.seconds, min(t for t in times if t is not None))

    def _pass_time(self, seconds: float) -> None:
        """A call takes long; everything else goes on meanwhile."""
        end = self.clock.seconds + seconds
        while self.clock.seconds < end:
            self._world()
            if self._depth >= DEEPEST or not self._piece():
                self.clock.seconds = min(end, self.clock.seconds + 0.25)

    # What goes on by itself

    def _live(self) -> None:
        """Start a control plane; one that cannot start is started again."""
        life = self.life = Life(
            self.settings,
            self.database,
            self.memory,
            self.names,
            self.epoch,
            self,
            self.agenda,
            self.threads,
            self._ask,
            self.clock.monotonic,
        )
        try:
            life.start()
        except Killed:
            assert not life.alive
        except HytheError:
            self.kill(1.0)

    def _ask(self, instance_id: int) -> int | None:
        """As a health check: whoever holds the instance's address answers."""
        with self.database.read() as session:
            row = session.get(Instance, instance_id)
        address = row.address if row is not None else None
        for box in self.memory.boxes.values():
            if box.state == "running" and box.address == address:
                status = self.status(box)
                if status == 200 and box.labels[LABEL_INSTANCE] == str(instance_id):
                    self.rules.answered.add(instance_id)
                return status
        return None

    def _dial(self) -> None:
        """The router dials in again."""
        if self.life is not None and not self.router.connected:
            self.router.dial(self.life.routers)
        self.agenda.add(self.random.choice((0.1, 1.0)), self._dial)

    def _feed(self) -> None:
        """The engine's events reach the loop, unless they are lost."""
        life = self.life
        if life is not None:
            try:
                self._hear(life)
            except Killed:
                assert not life.alive
            except HytheError:  # it broke off, and is opened again
                life.feed = None
        self.agenda.add(0.25, self._feed)

    def _hear(self, life: Life) -> None:
        if life.feed is None:
            life.feed = self.memory.engine.instances.changes(self.names.labels)
            life.loop.sweep()
        while not life.feed._items.empty():
            name = next(life.feed)
            if self.clock.seconds >= self.deaf_until:
                life.loop.ring_owner(name)

    def _engine_ticks(self) -> None:
        """Containers that end by themselves are run again."""
        if not self.memory.away:
            self.memory.settle()
        self.agenda.add(0.7, self._engine_ticks)

    def _build(self) -> None:
        self.users.build_again()
        self.agenda.add(5.0, self._build)

    def _answered(self, target: str) -> None:
        if self.router.open[target]:
            self.router.open[target] -= 1

    def _heal(self) -> None:
        """Faults end."""
        self._failing.clear()
        self.slow_calls.clear()
        self.hung.clear()
        self.failing_commits, self.deaf_until = 0, 0.0
        if self.memory.away:
            self.engine_back()
        self.users.replace_bad()
