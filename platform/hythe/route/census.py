"""What all workers have counted, added up, with the quantiles that people ask for.

Counts of a worker that ended stay; what an app counted goes when the app leaves the table.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hythe.route.tally import BUCKETS, CLASSES, COUNTERS, FAILED, upper_bound

QUANTILES = (0.5, 0.95, 0.99)


@dataclass
class Total:
    """One app's, since the router started."""

    classes: list[int] = field(default_factory=lambda: [0] * CLASSES)
    buckets: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    counters: list[int] = field(default_factory=lambda: [0] * len(COUNTERS))
    errors: dict[str, int] = field(default_factory=dict)

    def add(self, counts: dict[str, Any]) -> None:
        """What Tally.take gave, after its way through JSON."""
        for i, count in enumerate(counts["classes"]):
            self.classes[i] += count
        for i, count in enumerate(counts["counters"][: len(COUNTERS)]):
            self.counters[i] += count
        for bucket, count in counts["buckets"].items():
            self.buckets[int(bucket)] += count
        for code, count in counts["errors"].items():
            self.errors[code] = self.errors.get(code, 0) + count

    @property
    def requests(self) -> int:
        return sum(self.classes)

    def seconds(self, quantile: float) -> float:
        """The service time that this share of the requests stayed below; to 25 %."""
        rank = quantile * sum(self.buckets)
        for bucket, count in enumerate(self.buckets):
            rank -= count
            if count and rank <= 0:
                return upper_bound(bucket) / 1e6
        return 0.0

    def summary(self) -> dict[str, Any]:
        """As a report carries it, see wire.py."""
        return {
            "requests": self.requests,
            "failed": self.counters[FAILED],
            "errors": self.errors,
            "times": {upper_bound(i): count for i, count in enumerate(self.buckets) if count},
        }

    def below(self, microseconds: int) -> int:
        """Requests that took less; exact where a bucket ends."""
        return sum(n for i, n in enumerate(self.buckets) if upper_bound(i) <= microseconds)


class Census:
    def __init__(self) -> None:
        self.totals: dict[str, Total] = {}  # by app; "" is what no route was for
        self._watched: dict[str, dict[str, Total]] = {}  # by watch and release
        self._gauges: dict[int, dict[str, int]] = {}  # of each worker
        self.served: set[str] = set()  # apps that had requests; whoever reports it empties it

    def take(self, worker: int, message: dict[str, Any]) -> None:
        for app, counts in message["apps"].items():
            self.totals.setdefault(app, Total()).add(counts)
            self.served.add(app)
        for word, releases in message.get("watched", {}).items():
            watch = self._watched.setdefault(word, {})
            for release, counts in releases.items():
                watch.setdefault(release, Total()).add(counts)
        self._gauges[worker] = {key: message[key] for key in ("clients", "tunnels", "held")}

    def watched(self) -> dict[str, dict[str, Any]]:
        """What was counted by watch and release, as a report carries it."""
        return {
            word: {release: total.summary() for release, total in releases.items()}
            for word, releases in self._watched.items()
        }

    def forget(
        self, apps: Callable[[str], bool], watches: Callable[[str], bool], workers: set[int]
    ) -> None:
        """Keep only the apps and watches that are in the table, and the gauges of workers that
        live."""
        self._watched = {word: each for word, each in self._watched.items() if watches(word)}
        for app in [app for app in self.totals if app and not apps(app)]:
            del self.totals[app]
        self._gauges = {pid: gauges for pid, gauges in self._gauges.items() if pid in workers}

    def gauge(self, key: str) -> int:
        return sum(gauges[key] for gauges in self._gauges.values())


@dataclass(frozen=True)
class State:
    """What the master knows besides."""

    routes: int
    version: tuple[int, int]
    workers: int
    in_flight: dict[str, int]  # by app


def as_json(census: Census, state: State) -> dict[str, Any]:
    """For the control plane and the collector: all apps that had requests, times in seconds; in
    `times` requests by the microseconds that they stayed below."""
    return {
        "version": state.version,
        "routes": state.routes,
        "workers": state.workers,
        "clients": census.gauge("clients"),
        "websockets": census.gauge("tunnels"),
        "held": census.gauge("held"),
        "apps": {
            app: {
                "requests": total.requests,
                "in_flight": state.in_flight.get(app, 0),
                "statuses": {f"{i}xx": n for i, n in enumerate(total.classes) if n},
                "errors": total.errors,
                **dict(zip(COUNTERS, total.counters, strict=True)),
                **{f"p{round(100 * q)}": total.seconds(q) for q in QUANTILES},
                "times": {upper_bound(i): n for i, n in enumerate(total.buckets) if n},
            }
            for app, total in sorted(census.totals.items())
        },
    }


_BOUNDS = [2**power for power in range(10, 27, 2)]  # us: 1 ms to 67 s, where buckets end

_NAMES = {
    "bytes_in": ("request_bytes_total", "Bytes of request bodies."),
    "bytes_out": ("response_bytes_total", "Bytes of response bodies."),
    "connects": ("connects_total", "Connections that were tried to instances."),
    "connect_failures": ("connect_failures_total", "Those of them that failed."),
    "retries": ("retries_total", "Attempts of a request after its first."),
    "ejections": ("ejections_total", "Instances left out after failures."),
    "queued": ("queued_total", "Requests that had to wait for an instance."),
    "limited": ("limited_total", "Requests over the app's rate."),
    "failed": ("failed_total", "Requests that failed by the app or the platform."),
}


def as_prometheus(census: Census, state: State) -> Iterator[str]:
    """The lines of Prometheus' text format, version 0.0.4."""
    for name, about, value in (
        ("routes", "Routes in the table.", state.routes),
        ("table_epoch", "The table's version, first part.", state.version[0]),
        ("table_sequence", "The table's version, second part.", state.version[1]),
        ("workers", "Worker processes.", state.workers),
        ("clients", "Open connections of clients.", census.gauge("clients")),
        ("websockets", "Open WebSockets.", census.gauge("tunnels")),
        ("held", "Requests that wait for an instance.", census.gauge("held")),
    ):
        yield from _head(name, "gauge", about)
        yield f"hythe_router_{name} {value}\n"
    totals = sorted(census.totals.items())
    yield from _head("requests_total", "counter", "Requests by the class of their status.")
    for app, total in totals:
        for i, count in enumerate(total.classes):
            if count:
                yield f'hythe_router_requests_total{{app="{_label(app)}",class="{i}xx"}} {count}\n'
    yield from _head(
        "errors_total", "counter", "Requests that the router answered itself, by code."
    )
    for app, total in totals:
        for code, count in sorted(total.errors.items()):
            yield f'hythe_router_errors_total{{app="{_label(app)}",code="{code}"}} {count}\n'
    for place, counter in enumerate(COUNTERS):
        name, about = _NAMES[counter]
        yield from _head(name, "counter", about)
        for app, total in totals:
            yield f'hythe_router_{name}{{app="{_label(app)}"}} {total.counters[place]}\n'
    yield from _head("in_flight", "gauge", "Requests in progress.")
    for app, count in sorted(state.in_flight.items()):
        yield f'hythe_router_in_flight{{app="{_label(app)}"}} {count}\n'
    yield from _histograms(totals)


def _histograms(totals: list[tuple[str, Total]]) -> Iterator[str]:
    name = "service_seconds"
    yield from _head(name, "histogram", "Time from a request's head to the end of its response.")
    for app, total in totals:
        label = f'app="{_label(app)}"'
        for bound in _BOUNDS:
            count = total.below(bound)
            yield f'hythe_router_{name}_bucket{{{label},le="{bound / 1e6:g}"}} {count}\n'
        yield f'hythe_router_{name}_bucket{{{label},le="+Inf"}} {total.requests}\n'
        yield f"hythe_router_{name}_count{{{label}}} {total.requests}\n"


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP hythe_router_{name} {about}\n# TYPE hythe_router_{name} {kind}\n"


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
