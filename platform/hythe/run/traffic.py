"""What the routers counted of an app's requests while they were told to watch it, see wire.py."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

NO_RELEASE = ""  # of requests that no instance got


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests that have ended."""

    requests: int = 0
    failed: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)  # those that the router answered
    times: Mapping[int, int] = field(default_factory=dict)  # {below so many microseconds: requests}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Traffic":
        """From a router's report."""
        times = {int(bound): int(count) for bound, count in document["times"].items()}
        errors = {str(code): int(count) for code, count in document["errors"].items()}
        return cls(int(document["requests"]), int(document["failed"]), errors, times)

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(
            self.requests + other.requests,
            self.failed + other.failed,
            Counter(self.errors) + Counter(other.errors),
            Counter(self.times) + Counter(other.times),
        )

    def quantile(self, share: float) -> float:
        """Seconds within which this share of the requests was answered; to 25 %."""
        rank = share * sum(self.times.values())
        for bound in sorted(self.times):
            rank -= self.times[bound]
            if rank <= 0:
                return bound / 1e6
        return 0.0

    @property
    def failures(self) -> str:
        """How many failed, and by what: "3 failed (2 x H13, 1 x 5xx of the app)"."""
        if not self.failed:
            return "0 failed"
        codes = {code: count for code, count in sorted(self.errors.items()) if _fails(code)}
        causes = [f"{count} x {code}" for code, count in codes.items()]
        own = self.failed - sum(codes.values())
        if own > 0:
            causes.append(f"{own} x 5xx of the app")
        return f"{self.failed:,} failed ({', '.join(causes)})"


_OTHERS_DOING = frozenset({"H27", "H28", "H31", "H32", "H80"})  # see route/codes.fails


def _fails(code: str) -> bool:
    return code.startswith("H") and code not in _OTHERS_DOING


ByRelease = Mapping[str, Traffic]
"""By release, "v7"; NO_RELEASE is what no instance got."""

Watched = Callable[[str], ByRelease]
"""What was counted under a word."""


def word_of(deployment_id: int) -> str:
    """The word under which routers count while this deployment takes over."""
    return f"d{deployment_id}"


def total(parts: Iterable[Traffic]) -> Traffic:
    return sum(parts, Traffic())


def nothing(_word: str) -> ByRelease:
    """No router watches."""
    return {}
