"""`/metrics` of the control plane, in Prometheus' text format, version 0.0.4.

It needs a token, as all that the control plane answers; the router has a page of its own
(HYTHE_METRICS_PORT). Both may be asked.
"""

import time
from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hythe.api.context import Context
from hythe.build.disk import disks
from hythe.model import App, Certificate, Formation, Instance
from hythe.observe import figures
from hythe.observe.pulse import LONG_SECONDS, silence
from hythe.observe.router_counts import router_counts
from hythe.observe.series import TIERS

Samples = Iterable[tuple[Mapping[str, str], float]]  # labels and a value


def page(context: Context) -> Iterator[str]:
    """The lines of the page."""
    with context.database.read() as session:
        named = select(App.id, App.name).where(App.destroyed_at.is_(None)).order_by(App.name)
        apps = {app_id: name for app_id, name in session.execute(named)}
        yield from _state(session, apps)
        yield from _expiry(session, apps)
    alive = silence(context.settings.home) <= LONG_SECONDS
    yield from _gauge("collector_up", "Whether the log collector works.", [({}, float(alive))])
    free = [({"folder": each.folders[0]}, each.free) for each in disks(context.settings.home, None)]
    yield from _gauge("disk_free_bytes", "Bytes that builds may still use.", free)
    yield from _usage(context, apps)
    yield from _traffic(context, set(apps.values()))


def _state(session: Session, apps: Mapping[int, str]) -> Iterator[str]:
    formation = session.execute(select(Formation.app_id, Formation.process, Formation.quantity))
    wanted = [
        ({"app": apps[app_id], "process": process}, quantity)
        for app_id, process, quantity in formation
        if app_id in apps
    ]
    yield from _gauge("instances_wanted", "What the formation asks for.", wanted)
    counted = (
        select(Instance.app_id, Instance.process, Instance.state, func.count())
        .where(Instance.state != "gone")
        .group_by(Instance.app_id, Instance.process, Instance.state)
    )
    there = [
        ({"app": apps[app_id], "process": process, "state": state}, count)
        for app_id, process, state, count in session.execute(counted)
        if app_id in apps
    ]
    yield from _gauge("instances", "Instances by state.", there)


def _expiry(session: Session, apps: Mapping[int, str]) -> Iterator[str]:
    certificates = select(Certificate.app_id, Certificate.id, Certificate.expires_at)
    expiry = [
        ({"app": apps[app_id], "certificate": str(number)}, expires.timestamp())
        for app_id, number, expires in session.execute(certificates)
        if app_id in apps
    ]
    yield from _gauge("certificate_expiry_seconds", "When it expires, Unix time.", expiry)


_USAGE = {
    "cpu": ("instance_cpu_cores", "gauge", "Cores, over the last 10 s."),
    "memory": ("instance_memory_bytes", "gauge", "Memory that cannot be freed at once."),
    "limit": ("instance_memory_limit_bytes", "gauge", "The memory limit; 0 is none."),
    "received": ("instance_received_bytes", "gauge", "Bytes received in the last 10 s."),
    "sent": ("instance_sent_bytes", "gauge", "Bytes sent in the last 10 s."),
    "restarts": ("instance_restarts_total", "counter", "Restarts of instances of this name."),
    "oom_kills": ("instance_oom_kills_total", "counter", "Processes killed for memory."),
}


def _usage(context: Context, apps: Mapping[int, str]) -> Iterator[str]:
    home, now = context.settings.home, time.time()
    found: dict[str, list[tuple[Mapping[str, str], float]]] = {field: [] for field in _USAGE}
    for app_id, name in apps.items():
        for instance in figures.instances(home, app_id):
            point = figures.instance(home, app_id, instance).last(TIERS[0], now)
            if point is not None:
                labels = {"app": name, "instance": instance}
                for field, value in zip(figures.INSTANCE_FIELDS, point.values, strict=True):
                    found[field].append((labels, value))
    for field, (metric, kind, about) in _USAGE.items():
        yield from _family(metric, kind, about, found[field])


def _traffic(context: Context, apps: set[str]) -> Iterator[str]:
    """What the router of this machine counted since it started."""
    counts = router_counts(context.settings.stats_socket)
    counted = {name: own for name, own in counts["apps"].items() if name in apps} if counts else {}
    statuses = [
        ({"app": name, "class": kind}, number)
        for name, own in counted.items()
        for kind, number in own["statuses"].items()
    ]
    yield from _family("requests_total", "counter", "Requests by the class of status.", statuses)
    yield from _gauge(
        "requests_in_flight",
        "Requests in progress.",
        [({"app": name}, own["in_flight"]) for name, own in counted.items()],
    )


def _gauge(metric: str, about: str, samples: Samples) -> Iterator[str]:
    return _family(metric, "gauge", about, samples)


def _family(metric: str, kind: str, about: str, samples: Samples) -> Iterator[str]:
    yield f"# HELP hythe_{metric} {about}\n# TYPE hythe_{metric} {kind}\n"
    for labels, value in samples:
        shown = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        yield f"hythe_{metric}{f'{{{shown}}}' if shown else ''} {value:.12g}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
