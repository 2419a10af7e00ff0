"""Safety: what must be true at every moment of a history, whatever goes wrong.

A rule is about instances that nothing was done to: one that a fault hit has no claim to stay. A
router counts while it has a lease; one that stood still for longer may have an old table.
"""

from typing import TYPE_CHECKING

from simulation.fleet import PlayedRouter
from simulation.users import GOOD

from hythe.engine.memory.world import Box
from hythe.model import App, Instance
from hythe.names import LABEL_APP, LABEL_DEPLOYMENT, LABEL_INSTANCE

if TYPE_CHECKING:
    from simulation.simulation import Simulation

SCALE_SECONDS = 120.0  # how long a smaller scale that was asked for may still show in a table
ENDS = ("stop", "kill", "remove")


class Broken(BaseException):
    """A rule was broken; the message says which, and when.

    Not an Exception, since the loop takes those for one app's trouble and goes on.
    """


class Rules:
    def __init__(self, simulation: "Simulation") -> None:
        self._sim = simulation
        self.touched: set[str] = set()  # ids of instances that a fault hit, whatever runs there now
        self.answered: set[int] = set()  # instance ids that were seen to be ready
        self._qualities: dict[int, str] = {}  # by instance
        self._routed: dict[str, list[Box]] = {}  # usable ones in the router's last table, by app

    def after_table(self, router: PlayedRouter) -> None:
        """A router has applied a table."""
        self._only_passed_releases(router)
        self.own_containers(router)
        self._enough_left(router)

    def own_containers(self, router: PlayedRouter) -> None:
        """No container of one app on another's route, nor any but the instance that is meant."""
        if not router.trusted:
            return
        holders = self._by_address()
        for app, route in router.tables.ledger.routes.items():
            for target in route.targets:
                box = holders.get(target.host)
                if box is not None and f"i{box.labels[LABEL_INSTANCE]}" != target.id:
                    raise self._broken(
                        f"{app} sends requests for {target.id} to {box.spec.name} at {target.host}"
                    )

    def before_end(self, operation: str, container: str) -> None:
        """The control plane is about to end a container."""
        box = next((b for b in self._boxes() if container in (b.id, b.spec.name)), None)
        if box is None or not self.usable(box):
            return
        target, router = f"i{box.labels[LABEL_INSTANCE]}", self._sim.router
        if not router.trusted:
            return
        if router.tables.ledger.lists(target):
            raise self._broken(f"{operation} of {box.spec.name}, to which the router still sends")
        if router.open[target] and not self._out_of_time(box):
            raise self._broken(f"{operation} of {box.spec.name}, which answers a request")

    def usable(self, box: Box) -> bool:
        """A web instance that answers, and that no fault ever hit."""
        return self._answers(box) and box.labels[LABEL_INSTANCE] not in self.touched

    def _answers(self, box: Box) -> bool:
        return box.state == "running" and self._sim.status(box) == 200

    def _only_passed_releases(self, router: PlayedRouter) -> None:
        """No traffic to a release that failed its check, nor to one that was never asked."""
        for app, route in router.tables.ledger.routes.items():
            for target in route.targets:
                instance_id = int(target.id[1:])
                if self._quality(instance_id) != GOOD:
                    raise self._broken(f"{app} sends requests to {target.id}, which is not well")
                if instance_id not in self.answered:
                    raise self._broken(f"{app} sends requests to {target.id}, which never answered")

    def _enough_left(self, router: PlayedRouter) -> None:
        """Never below what was asked for, while there was as much that answered."""
        holders = self._by_address()
        for app, route in router.tables.ledger.routes.items():
            app_id = self._sim.users.apps.get(app)
            boxes = [holders.get(target.host) for target in route.targets]
            left = [box for box in boxes if box is not None and self._answers(box)]
            before = sum(self.usable(box) for box in self._routed.get(app, ()))
            self._routed[app] = left
            if app_id is None or not router.trusted:
                continue
            floor = min(before, self._sim.users.least(app_id, SCALE_SECONDS))
            if len(left) < floor:
                raise self._broken(f"{app} has {len(left)} instances in the table, had {before}")

    def _quality(self, instance_id: int) -> str:
        if instance_id not in self._qualities:
            with self._sim.database.read() as session:
                row = session.get_one(Instance, instance_id)
                self._qualities[instance_id] = self._sim.users.deployed[row.deployment_id].quality
        return self._qualities[instance_id]

    def _out_of_time(self, box: Box) -> bool:
        with self._sim.database.read() as session:
            row = session.get(Instance, int(box.labels[LABEL_INSTANCE]))
            app = session.get(App, int(box.labels[LABEL_APP]))
        if row is None or app is None or row.draining_at is None:
            return False
        waited = (self._sim.clock.now() - row.draining_at).total_seconds()
        return waited >= self._sim.settings.drain_timeout

    def _boxes(self) -> list[Box]:
        return [b for b in self._sim.memory.boxes.values() if LABEL_DEPLOYMENT in b.labels]

    def _by_address(self) -> dict[str, Box]:
        return {b.address: b for b in self._boxes() if b.state == "running" and b.address}

    def _broken(self, what: str) -> Broken:
        return Broken(f"after {self._sim.clock.seconds:.2f} s, step {self._sim.steps}: {what}")
