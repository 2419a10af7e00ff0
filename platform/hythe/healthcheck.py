"""A question to an instance, as app.json asks for it and a release keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

Kind = Literal["http", "tcp", "command", "running"]


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """Times in seconds."""

    kind: Kind = "http"
    path: str = "/"
    host: str = ""  # the Host header; empty is the app's own
    port: int | None = None  # None is the one where the process listens
    lowest: int = 100  # status
    highest: int = 499
    content: str = ""  # that the body must hold
    command: tuple[str, ...] = ()  # run in the instance; 0 is well
    timeout: float = 15.0
    wait: float = 0.0  # from one question to the next; 0 is at once, then slower
    initial_delay: float = 0.0
    attempts: int = 3  # failures in a row that end an instance that was up
    uptime: float = 1.0  # running: so long

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "HealthCheck":
        """From a release's spec; keys that are not known are left to newer versions."""
        known = {each.name: document[each.name] for each in fields(cls) if each.name in document}
        return cls(**{**known, "command": tuple(known.get("command", ()))})
