"""The routers' access log: which app each line belongs to, by the host and path asked for."""

import json
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from hythe.observe.line import LogLine, cut
from hythe.observe.tail import Loss

PROCESS = "router"

# Read from the left, never searched for: a request's path may look like other fields. No value that
# a client chooses holds a space, and only a quoted value holds quotes.
_FIELD = re.compile(r'(\w+)=(?:"(.*?)"|([^" ]*))(?: |$)', re.ASCII)


class Hosts:
    """App ids by where they answer."""

    def __init__(self) -> None:
        self._apps: Mapping[str, int] = {}
        self._plain = 0  # how many of them are whole hosts

    def learn(self, apps: Mapping[str, int]) -> None:
        """apps: app ids by host name, perhaps a wildcard, perhaps with a path."""
        self._apps = apps
        self._plain = sum("/" not in place for place in apps)

    def app_of(self, host: str, path: str = "/") -> int | None:
        """As the router decides: an exact name before a wildcard, the longest path first."""
        apps = self._apps
        if host in apps and len(apps) == self._plain:
            return apps[host]
        paths = list(_prefixes(path.partition("?")[0]))
        found = (apps.get(name + below) for name in _names(host) for below in paths)
        return next((app for app in found if app is not None), None)


def _names(host: str) -> Iterable[str]:
    """A host name, and the wildcards that it falls under."""
    yield host
    _, dot, rest = host.partition(".")
    while dot:
        yield f"*.{rest}"
        _, dot, rest = rest.partition(".")


def _prefixes(path: str) -> Iterable[str]:
    """A path and those above it, the longest first; the whole host is ""."""
    below = path.rstrip("/")
    while below:
        yield below
        below = below.rpartition("/")[0]
    yield ""


class AccessLog:
    """Makes log lines of access log lines. They carry no time: it is the time of their reading."""

    origin = None

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self.loss = Loss()

    @property
    def state(self) -> dict[str, Any]:
        return {}

    def decode(self, raw: Iterable[bytes]) -> dict[int, list[LogLine]]:
        """Log lines by app id; a line for a host of no app belongs to nobody."""
        now = time.time()
        apps: dict[int, list[LogLine]] = {}
        for entry in raw:
            text = entry.decode(errors="replace")
            fields = _fields(text)
            host = fields.get("host", "").lower().partition(":")[0]
            app_id = self._hosts.app_of(host, fields.get("path", "/"))
            if app_id is not None:
                line = LogLine(
                    now,
                    cut(text),
                    PROCESS,
                    release=fields.get("release", ""),
                    source="router",
                    request_id=fields.get("request_id", ""),
                )
                apps.setdefault(app_id, []).append(line)
        return apps

    def flush(self) -> dict[int, list[LogLine]]:
        return {}


def _fields(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    if text.startswith("{"):
        try:
            return {key: str(value) for key, value in json.loads(text).items()}
        except ValueError:
            return {}
    position = 0
    while match := _FIELD.match(text, position):
        fields.setdefault(match[1], match[2] or match[3] or "")
        position = match.end()
    return fields
