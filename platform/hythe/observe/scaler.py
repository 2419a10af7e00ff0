"""The scaler: reads what was measured, decides, and changes the formation as a person would."""

import math
import time
from collections import defaultdict
from collections.abc import Iterator

from sqlalchemy import func, select

from hythe import network
from hythe.model import App, Autoscale, Database, Formation, now
from hythe.observe import figures
from hythe.observe.autoscale import STABLE_SECONDS, Bounds, Decision, Sample, decide
from hythe.observe.rollup import SHORT
from hythe.settings import Settings


class Scaler:
    """Call `look` now and then, in the control plane that leads."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database

    def look(self) -> None:
        """Change the formation of whoever needs it. Raises a HytheError without a database."""
        with self._database.read() as session:
            rows = session.execute(
                select(Autoscale, Formation.quantity)
                .join(App, App.id == Autoscale.app_id)
                .join(
                    Formation,
                    (Formation.app_id == Autoscale.app_id)
                    & (Formation.process == Autoscale.process),
                )
                .where(App.destroyed_at.is_(None), Formation.quantity > 0)
            ).all()
        at = time.time()
        for row, current in rows:
            changed = row.changed_at.timestamp() if row.changed_at else 0.0
            samples = list(self._samples(row, current, at))
            decision = decide(Bounds(row.low, row.high), current, samples, changed, at)
            if decision.why:
                self._change(row.id, current, decision)

    def _change(self, number: int, current: int, decision: Decision) -> None:
        with self._database.write() as tx:
            row = tx.get(Autoscale, number)
            if row is None:
                return
            same = Formation.app_id == row.app_id
            quantity = tx.scalar(select(Formation).where(same, Formation.process == row.process))
            others = tx.scalar(
                select(func.sum(Formation.quantity)).where(same, Formation.process != row.process)
            )
            wanted = min(decision.instances, network.ROOM - (others or 0))
            if quantity is None or quantity.quantity != current or wanted in (0, current):
                return  # somebody was quicker, or the app's network is full
            quantity.quantity, row.changed_at = wanted, now()
            tx.note(
                "app.autoscale",
                f"Scale {row.process}={wanted} (was {current}): {decision.why}",
                app_id=row.app_id,
                process=row.process,
                quantity=wanted,
            )
            tx.poke(row.app_id)

    def _samples(self, row: Autoscale, current: int, at: float) -> Iterator[Sample]:
        """By what was asked for: processor time of the process, or times of the app's requests."""
        since = at - STABLE_SECONDS
        if row.p95 is not None:
            series = figures.traffic(self._settings.home, row.app_id)
            place = series.fields.index("p95")
            for point in series.read(SHORT, since, at):
                yield Sample(point.time + SHORT.step, point.values[place] / row.p95, current)
            return
        assert row.cpu is not None
        used: dict[int, list[float]] = defaultdict(list)
        for name in figures.instances(self._settings.home, row.app_id):
            if name.rpartition(".")[0] == row.process:
                series = figures.instance(self._settings.home, row.app_id, name)
                for point in series.read(SHORT, since, at):
                    used[point.time].append(point.values[0])
        full = self._settings.instance_cpus * row.cpu / 100
        for begin, cores in sorted(used.items()):
            yield Sample(begin + SHORT.step, math.fsum(cores) / len(cores) / full, len(cores))
