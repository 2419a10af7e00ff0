"""What can be set about the traffic of one app: the vocabulary that users, the database, the table
and the routers share.

A value that is not set (None) follows the router's own default. Users write `body-limit=10M` or
`first-byte=60s`; the table carries plain numbers of bytes and seconds.
"""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

Kind = Literal["bytes", "seconds", "count", "switch"]
Value = int | float | bool

_SIZES = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_SPANS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE = re.compile(r"(\d+)(K|M|G|)I?B?", re.IGNORECASE)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|)")
_SWITCH = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


class BadSetting(ValueError):
    """A key or value that cannot be used; the message says why."""


class UnknownSetting(BadSetting):
    """There is no setting of that name."""


@dataclass(frozen=True, slots=True)
class Knob:
    """What one setting takes."""

    kind: Kind
    default: str  # as people read it
    about: str
    low: float = 0
    high: float = 0

    def check(self, key: str, value: Any) -> Any:
        """The value itself, as the table carries it; raises BadSetting."""
        if self.kind == "switch":
            if not isinstance(value, bool):
                raise BadSetting(f"{key} must be true or false")
            return value
        fits = isinstance(value, int) or (self.kind == "seconds" and isinstance(value, float))
        if not fits or isinstance(value, bool) or not self.low <= value <= self.high:
            raise BadSetting(f"{key} must be {self.range}")
        return value

    def parse(self, key: str, text: str) -> Any:
        """Read what a person wrote; raises BadSetting."""
        if self.kind == "switch":
            if text.lower() not in _SWITCH:
                raise BadSetting(f"{key} must be on or off")
            return _SWITCH[text.lower()]
        if self.kind == "bytes" and (size := _SIZE.fullmatch(text)):
            return self.check(key, int(size[1]) * _SIZES[size[2].upper()])
        if self.kind == "seconds" and (span := _SPAN.fullmatch(text)):
            return self.check(key, round(float(span[1]) * _SPANS[span[2]], 3))
        if self.kind == "count" and text.isdecimal():
            return self.check(key, int(text))
        raise BadSetting(f"{key} must be {self.range}")

    def show(self, value: Value) -> str:
        """A value as people write it."""
        if self.kind == "switch":
            return "on" if value else "off"
        if self.kind == "seconds":
            return f"{value:g}s"
        if self.kind == "bytes":
            for unit in "GMK":
                if value and value % _SIZES[unit] == 0:
                    return f"{value // _SIZES[unit]}{unit}"
        return str(value)

    @property
    def range(self) -> str:
        if self.kind == "switch":
            return "on or off"
        if self.kind == "bytes":
            return f"{self.low:g} to {self.high / _SIZES['G']:g}G bytes, such as 10M"
        unit = " seconds, such as 30s" if self.kind == "seconds" else ""
        return f"{self.low:g} to {self.high:.0f}{unit}"


@dataclass(frozen=True, slots=True)
class RouteSettings:
    """An app's settings. Times in seconds, sizes in bytes; None is the router's default."""

    body_limit: int | None = None
    connect: float | None = None
    first_byte: float | None = None
    idle: float | None = None
    websocket_idle: float | None = None
    hold: float | None = None
    backlog: int | None = None
    target_requests: int | None = None
    rate: int | None = None
    burst: int | None = None
    sticky: bool | None = None
    slow_start: float | None = None
    https_only: bool | None = None
    hsts: int | float | None = None

    KNOBS: ClassVar[dict[str, Knob]]

    def to_json(self) -> dict[str, Value]:
        """Only what is set."""
        values = ((key, getattr(self, key)) for key in self.KNOBS)
        return {key: value for key, value in values if value is not None}

    @classmethod
    def from_json(cls, document: Any) -> "RouteSettings":
        """Check a decoded document; keys that are not known are left to newer versions."""
        if not isinstance(document, dict):
            raise BadSetting("settings must be an object")
        if not document:
            return NOTHING_SET
        return cls(
            **{
                key: knob.check(key, document[key])
                for key, knob in cls.KNOBS.items()
                if document.get(key) is not None
            }
        )

    def with_text(self, key: str, text: str | None) -> "RouteSettings":
        """Set one value as a person writes it, or None to unset it; raises BadSetting."""
        name = key.replace("-", "_")
        knob = self.KNOBS.get(name)
        if knob is None:
            raise UnknownSetting(f"{key} is not a router setting")
        return dataclasses.replace(self, **{name: None if text is None else knob.parse(key, text)})


_DAY = 24 * 3600

RouteSettings.KNOBS = {
    "body_limit": Knob("bytes", "none", "Largest request body; 0 is no limit (413).", 0, 1 << 40),
    "connect": Knob("seconds", "5s", "Time to connect to an instance (H19).", 0.1, 60),
    "first_byte": Knob("seconds", "30s", "Time to the first byte of a response (H12).", 0.1, _DAY),
    "idle": Knob("seconds", "55s", "Time without a byte in the middle (H15).", 0.1, _DAY),
    "websocket_idle": Knob("seconds", "1h", "Time without a byte on a WebSocket.", 1, 7 * _DAY),
    "hold": Knob(
        "seconds",
        "30s",
        "Time that a request waits while all instances are busy or paused.",
        0,
        300,
    ),
    "backlog": Knob(
        "count", "200", "Requests that may wait, a router worker; more get H11.", 0, 100_000
    ),
    "target_requests": Knob(
        "count",
        "500",
        "Requests at one instance at a time, a router worker; 0 is no limit.",
        0,
        1e6,
    ),
    "rate": Knob(
        "count", "none", "Requests a second from one address; 0 is no limit (429).", 0, 1e6
    ),
    "burst": Knob("count", "twice the rate", "Requests that may come at once.", 0, 1e6),
    "sticky": Knob("switch", "off", "Keep a browser at one instance, by a cookie."),
    "https_only": Knob("switch", "off", "Send clients of plain HTTP to HTTPS (308)."),
    "hsts": Knob(
        "seconds",
        "off",
        "Time for which browsers shall come by HTTPS only; 0 is off.",
        0,
        2 * 365 * _DAY,
    ),
    "slow_start": Knob("seconds", "10s", "Time over which a new instance gets its share.", 0, 300),
}

NOTHING_SET = RouteSettings()
