"""Liveness: when faults end, everything becomes as it should be, and then nothing is planned."""

from collections import Counter
from typing import TYPE_CHECKING

from simulation.users import GOOD
from sqlalchemy import select

from hythe.model import App, Deployment, Instance, now
from hythe.names import LABEL_DEPLOYMENT, LABEL_PROCESS
from hythe.run import desired, observe
from hythe.run.plan import Plan, plan

if TYPE_CHECKING:
    from simulation.simulation import Simulation


def looks(sim: "Simulation") -> bool:
    """Whether no app has anything planned, or waits for anything."""
    if sim.life is None:
        return False
    plans = plans_of(sim)
    return all(not p.actions and p.again_in is None for p in plans.values())


def what_moves(sim: "Simulation") -> dict[int, Plan]:
    return plans_of(sim) if sim.life is not None else {}


def plans_of(sim: "Simulation") -> dict[int, Plan]:
    """What the loop would do now, by app."""
    life = sim.life
    assert life is not None
    plans = {}
    with sim.database.read() as session:
        apps = session.scalars(select(App.id)).all()
    for app_id in apps:
        with sim.database.read() as session:
            wanted = desired.read(session, app_id)
        assert wanted is not None
        known = frozenset(slot.id for slot in wanted.slots)
        seen = observe.look(
            observe.containers(sim.memory.engine, sim.names, app_id),
            life.prober,
            life.routers,
            life.publisher.version,
            known,
            free_starts=4,
        )
        plans[app_id] = plan(wanted, seen, now(), sim.settings.drain_timeout)
    return plans


def check(sim: "Simulation") -> None:
    """The state of the world, at the end of a history."""
    with sim.database.read() as session:
        apps = {app.name: app.serving_id for app in session.scalars(select(App))}
        status = {d.id: d.status for d in session.scalars(select(Deployment))}
        held = session.scalars(select(Instance).where(Instance.state != "gone")).all()
    assert apps.keys() == sim.users.apps.keys(), "a destroyed app is not gone, or another is"
    assert {row.state for row in held} <= {"up"}
    assert sim.life is not None
    assert sim.router.version == sim.life.publisher.version
    _only_networks_of(sim)
    for name, app_id in sim.users.apps.items():
        _serves(sim, name, app_id, apps[name], status)


def _only_networks_of(sim: "Simulation") -> None:
    ours = {sim.names.network(app_id) for app_id in sim.users.apps.values()}
    assert set(sim.memory.networks) <= ours, "a network of no app is left"


def _serves(
    sim: "Simulation", name: str, app_id: int, serving_id: int | None, status: dict[int, str]
) -> None:
    """The newest release that became live runs, as often as it should, and gets the traffic."""
    deployed = [d for d in sim.users.deployed.values() if d.app_id == app_id]
    for one in deployed:
        assert status[one.id] in ("live", "failed", "superseded"), (one, status[one.id])
        well = one.quality == GOOD and not one.troubled
        assert status[one.id] != "failed" or not well, f"{one} failed without a reason"
    live = [one.id for one in deployed if status[one.id] == "live"]
    assert serving_id == (live[-1] if live else None), f"{name} serves d{serving_id}, not {live}"
    boxes = [box for box in sim.memory.boxes.values() if box.labels["io.hythe.app"] == str(app_id)]
    assert {box.state for box in boxes} <= {"running"}
    assert {box.labels[LABEL_DEPLOYMENT] for box in boxes} <= {str(serving_id)}
    have = Counter(box.labels[LABEL_PROCESS] for box in boxes)
    route = sim.router.tables.ledger.routes[name]
    if serving_id is not None:
        assert have["web"] == sim.users.quantities[app_id][-1][1]
        assert len(route.targets) == have["web"]
        assert all(sim.status(box) == 200 for box in boxes if box.labels[LABEL_PROCESS] == "web")
    else:
        assert not route.targets
