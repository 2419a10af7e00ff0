"""What a history is made of: what users do, and what goes wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from simulation.users import CRASHING, GOOD, MISSING, MUTE, SICK

from hythe.engine.memory.world import Box
from hythe.errors import EngineAway, EngineError
from hythe.names import LABEL_DEPLOYMENT

if TYPE_CHECKING:
    from simulation.simulation import Simulation

QUALITIES = (GOOD, GOOD, GOOD, GOOD, GOOD, GOOD, SICK, MUTE, CRASHING, MISSING)
BOOTS = (0.3, 2.0, 20.0)  # seconds
SPELLS = (1.0, 8.0, 40.0)  # seconds that something lasts
CALLS = ("create", "start", "stop", "remove", "list", "get", "ensure_network")
APPS = ("red", "blue")


@dataclass(frozen=True)
class Event:
    """`after` so many steps of the control plane since the one before, this happens.

    A step is the time before or after a call of the engine, or one job of the simulation. `pick`
    chooses among what there is: which app, which container, how long.
    """

    after: int
    what: str
    pick: int

    def __repr__(self) -> str:
        return f"Event({self.after}, {self.what!r}, {self.pick})"


Happen = Callable[["Simulation", int], None]


def _app(sim: "Simulation", pick: int) -> int | None:
    ids = list(sim.users.apps.values())
    return ids[pick % len(ids)] if ids else None


def _box(sim: "Simulation", pick: int) -> Box | None:
    """An instance of an app that runs."""
    boxes = sim.memory.boxes.values()
    running = [b for b in boxes if b.state == "running" and LABEL_DEPLOYMENT in b.labels]
    return running[pick % len(running)] if running else None


def _create(sim: "Simulation", pick: int) -> None:
    name = APPS[pick % len(APPS)]
    if name not in sim.users.apps:
        sim.users.create(name, web=1 + pick // 2 % 3, worker=pick // 6 % 2)


def _deploy(sim: "Simulation", pick: int) -> None:
    app_id = _app(sim, pick)
    if app_id is not None:
        quality = QUALITIES[pick // 2 % len(QUALITIES)]
        sim.users.deploy(app_id, quality, BOOTS[pick // 20 % len(BOOTS)])


def _repeat(sim: "Simulation", pick: int) -> None:
    app_id = _app(sim, pick)
    if app_id is not None:
        sim.users.repeat(app_id, pick // 2)


def _restart(sim: "Simulation", pick: int) -> None:
    app_id = _app(sim, pick)
    if app_id is not None:
        sim.users.restart(app_id)


def _scale(sim: "Simulation", pick: int) -> None:
    app_id = _app(sim, pick)
    if app_id is not None:
        process, most = ("worker", 2) if pick // 2 % 4 == 0 else ("web", 5)
        sim.users.scale(app_id, process, pick // 8 % most)


def _destroy(sim: "Simulation", pick: int) -> None:
    names = list(sim.users.apps)
    if names:
        sim.users.destroy(names[pick % len(names)])


def _exit(sim: "Simulation", pick: int) -> None:
    box = _box(sim, pick)
    if box is not None:
        sim.trouble(box)
        sim.memory.exit(box.spec.name, 1, oom_killed=pick % 2 == 0)


def _hang(sim: "Simulation", pick: int) -> None:
    box = _box(sim, pick)
    if box is not None:
        sim.trouble(box)
        sim.hung.add(box.id)


def _remove_by_hand(sim: "Simulation", pick: int) -> None:
    box = _box(sim, pick)
    if box is not None:
        sim.trouble(box)
        with sim.by_hand():
            sim.memory.engine.instances.remove(box.id)


def _disconnect(sim: "Simulation", pick: int) -> None:
    """As `docker network disconnect` does."""
    box = _box(sim, pick)
    if box is not None:
        sim.trouble(box)
        box.address = None


def _delete_network(sim: "Simulation", pick: int) -> None:
    """As after a disconnect of all that is in it."""
    names = sorted(sim.memory.networks)
    if names:
        name = names[pick % len(names)]
        for box in sim.memory.boxes.values():
            if box.spec.network == name:
                sim.trouble(box)
                box.address = None if box.state == "running" else box.address
        del sim.memory.networks[name]


def _prune(sim: "Simulation", pick: int) -> None:
    """Images that no container uses, as `docker image prune -a` does."""
    used = {box.image.id for box in sim.memory.boxes.values()}
    for ref, image in list(sim.memory.images.items()):
        if image.id not in used:
            del sim.memory.images[ref]
            for deployed in sim.users.deployed.values():
                deployed.troubled |= deployed.image == ref


def _restart_engine(sim: "Simulation", pick: int) -> None:
    for box in sim.memory.boxes.values():
        sim.trouble(box)
        box.restart_count = 0  # as Docker counts after a restart of its own
    sim.memory.restart_engine()
    if pick % 2:
        _engine_away(sim, pick // 2)


def _engine_away(sim: "Simulation", pick: int) -> None:
    sim.memory.away = True
    sim.trouble_all()
    sim.agenda.add(SPELLS[pick % len(SPELLS)], sim.engine_back)


def _fail_call(sim: "Simulation", pick: int) -> None:
    sim.fail_call(CALLS[pick % len(CALLS)], EngineAway(), answered=False)


def _lose_answer(sim: "Simulation", pick: int) -> None:
    sim.fail_call(CALLS[pick % len(CALLS)], EngineAway(), answered=True)


def _refuse_call(sim: "Simulation", pick: int) -> None:
    error = EngineError("The engine does not want to.")
    sim.fail_call(("create", "start")[pick % 2], error, answered=False)


def _slow_call(sim: "Simulation", pick: int) -> None:
    sim.slow_calls.append(SPELLS[pick % len(SPELLS)])


def _lose_events(sim: "Simulation", pick: int) -> None:
    sim.deaf_until = sim.clock.seconds + SPELLS[pick % len(SPELLS)]


def _kill(sim: "Simulation", pick: int) -> None:
    sim.kill(SPELLS[pick % len(SPELLS)])


def _lock_database(sim: "Simulation", pick: int) -> None:
    sim.failing_commits = 1 + pick % 3


def _router_dies(sim: "Simulation", pick: int) -> None:
    sim.router.die()


def _router_stands_still(sim: "Simulation", pick: int) -> None:
    sim.router.stand_still(SPELLS[pick % len(SPELLS)])


def _request(sim: "Simulation", pick: int) -> None:
    sim.request(pick, (0.5, 5.0, 60.0)[pick // 4 % 3])


def _wait(sim: "Simulation", pick: int) -> None:
    sim.pause((0.5, 3.0, 20.0)[pick % 3])


HAPPENS: dict[str, Happen] = {
    "create": _create,
    "deploy": _deploy,
    "repeat": _repeat,
    "restart": _restart,
    "scale": _scale,
    "destroy": _destroy,
    "exit": _exit,
    "hang": _hang,
    "remove by hand": _remove_by_hand,
    "disconnect": _disconnect,
    "delete network": _delete_network,
    "prune images": _prune,
    "restart engine": _restart_engine,
    "engine away": _engine_away,
    "fail call": _fail_call,
    "lose answer": _lose_answer,
    "refuse call": _refuse_call,
    "slow call": _slow_call,
    "lose events": _lose_events,
    "kill": _kill,
    "lock database": _lock_database,
    "router dies": _router_dies,
    "router stands still": _router_stands_still,
    "request": _request,
    "wait": _wait,
}
OFTEN = (
    *["deploy"] * 8,
    *["wait"] * 8,
    *["scale"] * 3,
    *["request"] * 3,
    *["kill"] * 3,
    *["repeat"] * 2,
    "restart",
)

events = st.builds(
    Event,
    after=st.integers(0, 120),
    what=st.sampled_from((*HAPPENS, *OFTEN)),
    pick=st.integers(0, 255),
)
histories = st.lists(events, min_size=6, max_size=30)
