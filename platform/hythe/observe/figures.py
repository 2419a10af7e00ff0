"""Where figures are kept, and what they are: HYTHE_HOME/metrics/APP_ID/NAME.

`requests` is about the app, `web.1` about an instance of that name, whichever container it is: a
deploy goes on in the same file.
"""

from pathlib import Path

from hythe.observe.series import Series

REQUESTS = "requests"
TRAFFIC_FIELDS = (
    "requests",  # that ended in the step
    "s2xx",
    "s3xx",
    "s4xx",
    "s5xx",
    "errors",  # those of them that the router answered itself
    "p50",  # seconds; 0 without a request
    "p95",
    "p99",
    "in_flight",  # at the end of the step
    "bytes_in",  # of bodies
    "bytes_out",
)
INSTANCE_FIELDS = (
    "cpu",  # cores
    "memory",  # bytes that cannot be freed at once
    "limit",  # bytes; 0: none
    "received",  # bytes in the step
    "sent",
    "restarts",  # so far; those that were seen
    "oom_kills",  # so far: processes that the kernel killed for memory
)
SUMS = frozenset((*TRAFFIC_FIELDS[:6], "bytes_in", "bytes_out", "received", "sent"))
"""What was counted in a step: over a longer step it adds up."""
MEANS = frozenset({"cpu"})
"""Of these the mean is kept over a longer step; of all others the highest."""


def metrics_folder(home: Path) -> Path:
    return home / "metrics"


def traffic(home: Path, app_id: int) -> Series:
    return Series(metrics_folder(home) / str(app_id) / REQUESTS, TRAFFIC_FIELDS)


def instance(home: Path, app_id: int, name: str) -> Series:
    """name: "web.1"."""
    return Series(metrics_folder(home) / str(app_id) / name, INSTANCE_FIELDS)


def instances(home: Path, app_id: int) -> list[str]:
    """The names of the instances of which there are figures."""
    try:
        names = [path.name for path in (metrics_folder(home) / str(app_id)).iterdir()]
    except FileNotFoundError:
        return []
    return sorted(name for name in names if "." in name.strip("."))
