"""A control plane on the memory engine that can be killed at any step.

The loop's own parts are real: desired, observe, plan, apply, publish, the database. Played are the
engine, the apps' health answers and the router.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hythe.engine.memory import Memory
from hythe.engine.port import Engine
from hythe.model import App, Database, Instance, Vault, Write, now
from hythe.names import LABEL_INSTANCE, Names
from hythe.run import desired, observe
from hythe.run.apply import Applier
from hythe.run.erase import Eraser
from hythe.run.health import Answer, Life
from hythe.run.plan import Plan, plan
from hythe.run.publish import Publisher
from hythe.run.traffic import Traffic
from hythe.settings import Settings
from hythe.wire import RouteTable, Version


class Killed(BaseException):
    """The control plane is dead; not an Exception, so that nothing handles it."""


class Switch:
    """Kills at the n-th step; from then on every step of that control plane fails."""

    def __init__(self, kill_at: int | None) -> None:
        self.kill_at = kill_at
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        if self.kill_at is not None and self.steps > self.kill_at:
            raise Killed


class Wired:
    """A port whose every call is a step before and after it."""

    def __init__(self, port: Any, switch: Switch) -> None:
        self._port = port
        self._switch = switch

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._port, name)

        def stepped(*args: Any, **kwargs: Any) -> Any:
            self._switch.step()
            result = call(*args, **kwargs)
            self._switch.step()
            return result

        return stepped


class WiredDatabase(Database):
    """Every commit is a step before and after it."""

    def __init__(self, database: Database, switch: Switch) -> None:
        vars(self).update(vars(database))  # its engine, with its compiled statements
        self._bells = []
        self._switch = switch

    @contextmanager
    def write(self) -> Iterator[Write]:
        self._switch.step()
        with super().write() as tx:
            yield tx
            self._switch.step()
        self._switch.step()


@dataclass
class Router:
    """Takes tables at once, acknowledges when told, and never forgets the last one."""

    memory: Memory
    table: RouteTable | None = None
    acks: bool = True
    open_requests: Counter[str] = field(default_factory=Counter)
    counts: dict[str, dict[str, Traffic]] = field(default_factory=dict)  # by watch and release

    def send(self, table: RouteTable) -> None:
        if self.table is None or table.version > self.table.version:
            self.table = table

    def acked(self) -> Version | None:
        return self.table.version if self.table and self.acks else (0, 0)

    def in_flight(self) -> Counter[str]:
        return self.open_requests

    def watched(self, word: str) -> dict[str, Traffic]:
        return self.counts.get(word, {})

    def serving(self, app: str) -> set[str]:
        """The releases that answer for an app; every target must be there and be the app's own."""
        releases = set()
        for route in self.table.routes if self.table else ():
            for target in route.targets if route.app == app else ():
                boxes = self.memory.engine.instances.list({LABEL_INSTANCE: target.id[1:]})
                if any(b.state == "running" and b.address == target.host for b in boxes):
                    releases.add(target.release)
                else:
                    releases.add("dead")
        return releases


class PlayedProber:
    """Health as the memory engine's programs answer it."""

    def __init__(self, memory: Memory, database: Database) -> None:
        self._memory = memory
        self._database = database

    def watch(self, *_args: object) -> None: ...

    def tend(self, *_args: object) -> None: ...

    def forget(self, _instance_id: int) -> None: ...

    def lives(self, _instance_ids: frozenset[int]) -> dict[int, Life]:
        return {}

    def answers(self, instance_ids: frozenset[int]) -> dict[int, Answer]:
        answers = {}
        with self._database.read() as session:
            for instance_id in instance_ids:
                row = session.get_one(Instance, instance_id)
                status = self._memory.answer(row.address)
                answers[instance_id] = Answer(status, f"answered {status} on /")
        return answers


class Plane:
    """One life of a control plane."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        memory: Memory,
        router: Router,
        kill_at: int | None = None,
    ) -> None:
        self.settings = settings
        self.switch = Switch(kill_at)
        self.database = WiredDatabase(database, self.switch)
        self.names = Names("abcdef")
        self.router = router
        self.engine = Engine(
            memory.engine.images,
            Wired(memory.engine.instances, self.switch),
            memory.engine.sessions,
        )
        self.prober: Any = PlayedProber(memory, self.database)
        self.publisher = Publisher(
            settings, self.database, Vault.open(settings.key_file), 1, router.send
        )
        self.applier = Applier(
            settings,
            self.database,
            self.engine,
            self.names,
            Vault.open(settings.key_file),
            self.prober,
            self.publisher,
            Eraser(settings, self.database, self.engine, self.names, ()),
            lambda *_: None,
            router.watched,
        )

    def look(self, app_id: int, later: float = 0.0) -> tuple[desired.Desired, Plan] | None:
        with self.database.read() as session:
            wanted = desired.read(session, app_id)
        if wanted is None:
            return None
        seen = observe.look(
            self.engine,
            self.names,
            self.prober,
            self.router,  # type: ignore[arg-type]
            self.publisher.version,
            app_id,
            frozenset(slot.id for slot in wanted.slots),
            free_starts=4,
            rolling=wanted.rolling.deployment_id if wanted.rolling else None,
        )
        return wanted, plan(wanted, seen, now() + timedelta(seconds=later), 30)

    def converge(self, app_id: int, check: Callable[[], None] = lambda: None) -> int:
        """Pass until there is nothing to do; returns the number of passes."""
        self.publisher.publish()  # as the loop starts, and then before each pass
        for passes in range(200):
            check()
            self.publisher.refresh()
            look = self.look(app_id, later=float(passes))
            if look is None or not (look[1].actions or _moving(look[0])):
                return passes
            self.applier.apply(*_pair(look))
        raise AssertionError(f"no fixed point: {look}")

    def bury(self) -> None:
        """Wait for what its threads still do."""
        self.applier.join()


def _pair(look: tuple[desired.Desired, Plan]) -> tuple[desired.Desired, Any]:
    return look[0], look[1].actions


def _moving(wanted: desired.Desired) -> bool:
    unsettled = any(slot.state not in ("up", "crashed") for slot in wanted.slots)
    return unsettled or wanted.rolling is not None or wanted.counting is not None


def app_row(database: Database, app_id: int) -> App:
    with database.read() as session:
        return session.get_one(App, app_id)
