"""The routers' access log: which app each line belongs to, by the host that was asked for."""

import re
import time
from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from hythe.model import App, Database, Domain
from hythe.observe.line import LogLine, cut
from hythe.observe.tail import Loss

PROCESS = "router"

# Read from the left, never searched for: a request's path may look like other fields. No value that
# a client chooses holds a space, and only a quoted value holds quotes.
_FIELD = re.compile(r'(\w+)=(?:"(.*?)"|([^" ]*))(?: |$)', re.ASCII)


class Hosts:
    """App ids by host name, read again when something may have changed."""

    def __init__(self, database: Database, domain: str) -> None:
        self._database = database
        self._domain = domain
        self._apps: dict[str, int] = {}
        self.stale = True

    def app_of(self, host: str) -> int | None:
        if self.stale:
            self.stale = False  # before reading: it may become stale meanwhile
            try:
                self._apps = self._read()
            except BaseException:
                self.stale = True
                raise
        return self._apps.get(host)

    def _read(self) -> dict[str, int]:
        with self._database.read() as session:
            names = session.execute(select(App.id, App.name).where(App.destroyed_at.is_(None)))
            apps = {f"{name}.{self._domain}": app_id for app_id, name in names}
            for app_id, host in session.execute(select(Domain.app_id, Domain.host)):
                apps[host] = app_id
        return apps


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
            app_id = self._hosts.app_of(fields.get("host", "").lower().partition(":")[0])
            if app_id is not None:
                line = LogLine(
                    now, cut(text), PROCESS, release=fields.get("release", ""), source="router"
                )
                apps.setdefault(app_id, []).append(line)
        return apps

    def flush(self) -> dict[int, list[LogLine]]:
        return {}


def _fields(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    position = 0
    while match := _FIELD.match(text, position):
        fields.setdefault(match[1], match[2] or match[3] or "")
        position = match.end()
    return fields
