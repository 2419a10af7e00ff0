"""A world that does what a plan says, without rows and without an engine."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hythe.engine.port import Container
from hythe.run import actions as do
from hythe.run.desired import BOTH, WEB, Desired, Group, Slot
from hythe.run.health import Answer
from hythe.run.observe import Observed
from hythe.run.plan import plan
from hythe.run.traffic import Traffic

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class World:
    """One app. What an instance does is decided outside: `answers` says which new ones are ready.

    A container exists as soon as it is started; a stop is done at once.
    """

    desired: Desired
    now: datetime = NOW
    answers: set[int] = field(default_factory=set)  # slots that are ready
    watched: dict[str, Traffic] = field(default_factory=dict)  # by release, "v2"
    done: list[do.Action] = field(default_factory=list)
    made: int = 0  # instances so far

    def slot(self, slot_id: int) -> Slot:
        return next(slot for slot in self.desired.slots if slot.id == slot_id)

    def look(self) -> Observed:
        started = [slot for slot in self.desired.slots if slot.state != "pending"]
        return Observed(
            containers={
                s.id: Container(f"c{s.id}", f"n{s.id}", "sha256:one", {}, "running")
                for s in started
            },
            answers={
                s.id: Answer(200, "answered 200 on /") for s in started if s.id in self.answers
            },
            free_starts=100,
            watched=self.watched,
        )

    def turn(self) -> tuple[do.Action, ...]:
        """One pass: plan, and do it."""
        steps = plan(self.desired, self.look(), self.now, 30.0)
        for action in steps.actions:
            self._do(action)
        self.done += steps.actions
        self.now += timedelta(seconds=2)
        return steps.actions

    def routed(self) -> list[Slot]:
        """The web instances that get requests."""
        rolling, serving = self.desired.rolling, self.desired.serving
        takers = {serving.deployment_id} if serving else set()
        if rolling and rolling.sharing == BOTH:
            takers.add(rolling.deployment_id)
        return [
            slot
            for slot in self.desired.slots
            if slot.process == WEB
            and slot.state == "up"
            and (slot.deployment_id in takers or slot.shared)
        ]

    def fail(self) -> None:
        """The rolling deployment failed; as release/ and read() would show it."""
        rolling = self.desired.rolling
        assert rolling is not None
        shared = rolling.sharing == BOTH
        slots = tuple(
            replace(slot, shared=shared and slot.deployment_id == rolling.deployment_id)
            for slot in self.desired.slots
        )
        self.desired = replace(self.desired, rolling=None, slots=slots)

    def _set(self, slot_id: int, **values: object) -> None:
        slots = tuple(
            replace(slot, **values) if slot.id == slot_id else slot  # type: ignore[arg-type]
            for slot in self.desired.slots
        )
        self.desired = replace(self.desired, slots=slots)

    def _group(self, **values: object) -> None:
        assert self.desired.rolling is not None
        rolling = replace(self.desired.rolling, **values)  # type: ignore[arg-type]
        self.desired = replace(self.desired, rolling=rolling)

    def _do(self, action: do.Action) -> None:
        match action:
            case do.Create(deployment, process, index, start):
                self._create(deployment, process, index, start)
            case do.Start(slot_id):
                self._set(slot_id, state="starting", started_at=self.now)
            case do.MarkUp(slot_id, _):
                self._set(slot_id, state="up", ready_at=self.now)
            case do.Drain(slot_id):
                self._set(slot_id, state="draining", left=(0, 0), draining_at=self.now)
            case do.Stop(slot_id):
                left = tuple(s for s in self.desired.slots if s.id != slot_id)
                self.desired = replace(self.desired, slots=left)
            case do.Enter(_, sharing):
                self._group(sharing=sharing, sharing_since=self.now)
            case do.Switch():
                self._group(sharing="")
                self.desired = replace(self.desired, serving=self.desired.rolling)
            case do.Finish():
                self.desired = replace(self.desired, rolling=None)
            case do.Fail():
                self.fail()

    def _create(self, deployment: int, process: str, index: int, start: bool) -> None:
        group = next(g for g in self.desired.groups if g.deployment_id == deployment)
        number = self.made = self.made + 1
        made = Slot(
            id=number,
            deployment_id=deployment,
            process=process,
            index=index,
            address=f"10.0.0.{number}",
            state="starting" if start else "pending",
            started_at=self.now if start else None,
            ready_at=None,
            draining_at=None,
            left=None,
            crashes=0,
            restarts=0,
            retry_at=None,
            rules=group.rules(process),
        )
        self.desired = replace(self.desired, slots=(*self.desired.slots, made))


def group(deployment: int, settings: dict[str, object], **quantities: int) -> Group:
    return Group(deployment, deployment, quantities, 10**6, settings)  # type: ignore[arg-type]


def serving(settings: dict[str, object], **quantities: int) -> World:
    """A world in which v1 serves, with all instances up."""
    world = World(Desired(1, "shop", False, None, group(1, settings, **quantities)))
    for _ in range(4):
        world.answers |= {slot.id for slot in world.desired.slots}
        world.turn()
    assert world.desired.rolling is None
    world.done.clear()
    return world
