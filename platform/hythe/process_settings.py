"""How the instances of a process type are replaced and stopped: the vocabulary of `ps:set` and of
`formation.TYPE.settings` in app.json.

A value is kept as plain JSON, `{"surge": "25%", "drain_timeout": 60.0}`; one that is not set
follows the next layer: `ps:set`, then app.json of the release, then the default here, then the
installation.
"""

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hythe.route_settings import BadSetting, Knob, UnknownSetting

ROLLING = "rolling"  # new instances beside the old ones, then in their place
ALL_AT_ONCE = "all-at-once"  # the old instances end before the new ones start
CANARY = "canary"  # a share of the requests goes to the new release first
STRATEGIES = (ROLLING, ALL_AT_ONCE, CANARY)

Amount = int | str
"""A number of instances, or a share of those that are wanted: "25%"."""

_PERCENT = re.compile(r"(\d{1,4})%")
_DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class AmountKnob(Knob):
    """A number of instances or a share of them."""

    def check(self, key: str, value: Any) -> Any:
        match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
        if match is not None:
            if int(match[1]) <= 100:
                return value
        elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= self.high:
            return value
        raise BadSetting(f"{key} must be {self.range}")

    def parse(self, key: str, text: str) -> Any:
        return self.check(key, int(text) if text.isdecimal() and len(text) < 6 else text)

    def show(self, value: Any) -> str:
        return str(value)

    @property
    def range(self) -> str:
        return f"0 to {self.high:.0f} instances, or 0% to 100% of them"


@dataclass(frozen=True, slots=True)
class ChoiceKnob(Knob):
    """One of a few words."""

    words: tuple[str, ...] = ()

    def check(self, key: str, value: Any) -> Any:
        if value not in self.words:
            raise BadSetting(f"{key} must be {self.range}")
        return value

    def parse(self, key: str, text: str) -> Any:
        return self.check(key, text)

    @property
    def range(self) -> str:
        return ", ".join(self.words[:-1]) + f" or {self.words[-1]}"


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """The settings of a process type. Times in seconds; None is the installation's."""

    strategy: str = ROLLING
    surge: Amount = "100%"
    min_healthy: Amount = "100%"
    batch: Amount = "100%"
    boot_timeout: float | None = None
    drain_timeout: float | None = None
    stop_timeout: float | None = None
    canary_share: int = 10
    canary_time: float = 300.0
    canary_errors: int = 1
    canary_p95: int = 200
    canary_requests: int = 20

    KNOBS: ClassVar[dict[str, Knob]]

    @classmethod
    def layered(cls, *layers: Mapping[str, Any] | None) -> "ProcessSettings":
        """From kept values, the strongest layer first; raises BadSetting. Keys that are not known
        are left to newer versions."""
        values = {
            key: knob.check(key, layer[key])
            for layer in reversed(layers)
            for key, knob in cls.KNOBS.items()
            if layer and layer.get(key) is not None
        }
        return cls(**values)

    def most_beside(self, wanted: int) -> int:
        """How many more instances than wanted may run at a time. At least one when none of the
        wanted may be missing, or nothing could ever be replaced."""
        beside = amount(self.surge, wanted)
        return beside if beside or self.fewest_up(wanted) < wanted else 1

    def fewest_up(self, wanted: int) -> int:
        return min(wanted, amount(self.min_healthy, wanted))

    def at_a_time(self, wanted: int) -> int:
        """How many may be starting at a time."""
        return max(1, amount(self.batch, wanted))


def amount(value: Amount, wanted: int) -> int:
    """A number of instances; a share is rounded up."""
    if isinstance(value, int):
        return value
    return math.ceil(int(value.rstrip("%")) * wanted / 100)


def with_text(values: Mapping[str, Any], key: str, text: str | None) -> dict[str, Any]:
    """Kept values with one of them set as a person writes it, or unset (None); raises
    BadSetting."""
    name = key.replace("-", "_")
    knob = ProcessSettings.KNOBS.get(name)
    if knob is None:
        raise UnknownSetting(f"{key} is not a setting of processes")
    kept = {each: value for each, value in values.items() if each != name}
    return kept if text is None else {**kept, name: knob.parse(key, text)}


ProcessSettings.KNOBS = {
    "strategy": ChoiceKnob(
        "count",
        ROLLING,
        "How a release replaces the one before. `all-at-once` is for processes that must not "
        "overlap: the old ones end first, and requests wait meanwhile. `canary` (of web): a share "
        "of the requests first.",
        words=STRATEGIES,
    ),
    "surge": AmountKnob(
        "count",
        "100%",
        "Instances that may run beside those that are wanted. With all of them the traffic moves "
        "at once, with fewer batch by batch.",
        high=1000,
    ),
    "min_healthy": AmountKnob(
        "count", "100%", "Instances that stay up while others are replaced.", high=1000
    ),
    "batch": AmountKnob(
        "count", "100%", "New instances that may be starting at a time.", high=1000
    ),
    "boot_timeout": Knob(
        "seconds", "HYTHE_BOOT_TIMEOUT", "Time until a new instance must be ready (R10).", 1, _DAY
    ),
    "drain_timeout": Knob(
        "seconds", "HYTHE_DRAIN_TIMEOUT", "Time that open requests of an old instance get.", 0, _DAY
    ),
    "stop_timeout": Knob(
        "seconds", "HYTHE_STOP_TIMEOUT", "Time from SIGTERM to SIGKILL (R12).", 0, _DAY
    ),
    "canary_share": Knob("count", "10", "Percent of the requests that a canary gets.", 1, 99),
    "canary_time": Knob("seconds", "5m", "Time for which a canary is watched.", 1, _DAY),
    "canary_errors": Knob(
        "count",
        "1",
        "By how many percent points more requests may fail than with the release before.",
        0,
        100,
    ),
    "canary_p95": Knob(
        "count",
        "200",
        "Largest p95 of a canary, in percent of the p95 of the release before.",
        100,
        100_000,
    ),
    "canary_requests": Knob(
        "count", "20", "Fewest requests of a release that it is judged by.", 1, 1e6
    ),
}

NOTHING_SET = ProcessSettings()

_FIELDS = tuple(field.name for field in dataclasses.fields(ProcessSettings))
assert tuple(ProcessSettings.KNOBS) == _FIELDS
