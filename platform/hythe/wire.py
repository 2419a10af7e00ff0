"""What the control plane and the routers say to each other: the routers' only contract.

A RouteTable is an immutable value with a version (epoch, sequence), ordered as a pair. The epoch is
new for each database history, so that a restored database cannot run a router backwards unseen.

The link is a stream of JSON lines. A router dials in and says hello; the control plane answers with
the table, and then sends what changes; the router reports once all its workers have applied it,
at least once a second (its lease), and as soon as a retired target has no request in flight.

    router  -> control  {"type": "hello", "router": ID, "workers": N, "version": [E, S] | null,
                         "changes": true, "activity": true}
    control -> router   {"type": "table", "table": {...}}
    control -> router   {"type": "change", "after": [E, S], "version": [E, S],
                         "routes": [...], "gone": [APP, ...]}
    router  -> control  {"type": "report", "version": [E, S], "in_flight": {TARGET_ID: N, ...},
                         "waiting": [APP, ...], "served": [APP, ...],
                         "watched": {WATCH: {RELEASE: {"requests": N, "failed": N,
                                     "errors": {CODE: N}, "times": {MICROSECONDS: N}}}}}
    router  -> control  {"type": "refused", "version": [E, S] | null, "reason": TEXT}

In `waiting` are the apps of which requests are held, told as soon as the first one is; in `served`
those of which requests have ended since the last report. A router that tells them says `activity`.

A change goes only to a router that said `changes`, and counts only on top of the version in
`after`; a router that has another says hello again, and gets the whole table.

While a route has a `watch`, what it is asked is counted under that word, by release, from nought on
when the word is new. `times` counts requests by a bound, in microseconds, that they stayed below.

Readers ignore keys and messages that they do not know, so that neighbouring versions understand
each other.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hythe.route_settings import NOTHING_SET, BadSetting, RouteSettings

Version = tuple[int, int]

_BASE = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+")

LEASE_SECONDS = 5.0
"""A router that has not reported for this long leaves the set whose acks are awaited."""

SERVE = "serve"
HOLD = "hold"  # requests wait for another mode, or for a target
MAINTENANCE = "maintenance"  # requests are answered with H80
MODES = (SERVE, HOLD, MAINTENANCE)

# A host name, perhaps a wildcard, perhaps with a path below which it counts.
_HOST = r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]"
_PLACE = re.compile(rf"({_HOST})(?P<path>(/[A-Za-z0-9._~-]+)*)")


class BadTable(ValueError):
    """The document is not a route table; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Target:
    """One process that answers HTTP."""

    id: str  # unique for ever, such as "i57"
    host: str  # IPv4 address
    port: int
    instance: str = ""  # "web.1"
    release: str = ""  # "v7"
    weight: int = 100

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"id": self.id, "host": self.host, "port": self.port}
        document |= {"instance": self.instance, "release": self.release}
        if self.weight != 100:
            document["weight"] = self.weight
        return document


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate for TLS, with its private key."""

    names: tuple[str, ...]  # what it is good for: "shop.example.com", "*.example.com"
    chain: str  # PEM, the server's own first
    key: str = field(default="", repr=False)  # PEM, not encrypted

    def to_json(self) -> dict[str, Any]:
        return {"names": list(self.names), "chain": self.chain, "key": self.key}


@dataclass(frozen=True, slots=True)
class Route:
    """An app: where it answers, the targets behind that, and how its traffic is handled."""

    app: str
    hosts: tuple[str, ...]  # "shop.example.com", "*.example.com", "example.com/shop"
    targets: tuple[Target, ...] = ()
    error: str = "H14"  # the code to answer while there are no targets: H10, H14
    redirect: str = ""  # where GET and HEAD are sent, such as "https://HOST:PORT"; others get error
    mode: str = SERVE
    settings: RouteSettings = NOTHING_SET
    certificates: tuple[Certificate, ...] = ()
    challenges: tuple[tuple[str, str], ...] = ()  # (token, text) for ACME's HTTP-01
    watch: str = ""  # count its requests under this word, such as "d57"

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "app": self.app,
            "hosts": list(self.hosts),
            "targets": [target.to_json() for target in self.targets],
            "error": self.error,
        }
        if self.redirect:
            document["redirect"] = self.redirect
        if self.mode != SERVE:
            document["mode"] = self.mode
        if settings := self.settings.to_json():
            document["settings"] = settings
        if self.certificates:
            document["certificates"] = [made.to_json() for made in self.certificates]
        if self.challenges:
            document["challenges"] = dict(self.challenges)
        if self.watch:
            document["watch"] = self.watch
        return document


@dataclass(frozen=True, slots=True)
class RouteTable:
    epoch: int
    sequence: int
    routes: tuple[Route, ...] = field(default=())

    @property
    def version(self) -> Version:
        return (self.epoch, self.sequence)

    def to_json(self) -> dict[str, Any]:
        routes = [route.to_json() for route in self.routes]
        return {"epoch": self.epoch, "sequence": self.sequence, "routes": routes}

    @classmethod
    def from_json(cls, document: Any) -> "RouteTable":
        """Check a decoded JSON document and make the table; raises BadTable."""
        table = _object(document, "table")
        routes = _routes(table, "table")
        owners: dict[str, str] = {}
        for route in routes:
            claim(route, owners)
        return cls(_int(table, "epoch", "table"), _int(table, "sequence", "table"), routes)

    @classmethod
    def loads(cls, text: str | bytes) -> "RouteTable":
        try:
            return cls.from_json(json.loads(text))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise BadTable(f"not JSON: {error}") from None


@dataclass(frozen=True, slots=True)
class TableChange:
    """What makes the table `version` of the table `after`: routes by app, and apps that left."""

    after: Version
    version: Version
    routes: tuple[Route, ...] = ()
    gone: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "type": "change",
            "after": list(self.after),
            "version": list(self.version),
            "routes": [route.to_json() for route in self.routes],
            "gone": list(self.gone),
        }

    @classmethod
    def between(cls, old: RouteTable, new: RouteTable) -> "TableChange":
        before = {route.app: route for route in old.routes}
        now = {route.app for route in new.routes}
        return cls(
            old.version,
            new.version,
            tuple(route for route in new.routes if before.get(route.app) != route),
            tuple(app for app in before if app not in now),
        )

    @classmethod
    def from_json(cls, document: Any) -> "TableChange":
        """Check a decoded message; raises BadTable. Hosts are not compared with the table's."""
        change = _object(document, "change")
        gone = _list(change, "gone", "change")
        if not all(isinstance(app, str) for app in gone):
            raise BadTable("change.gone must be names of apps")
        return cls(
            version_of(change.get("after")),
            version_of(change.get("version")),
            _routes(change, "change"),
            tuple(gone),
        )


def version_of(value: Any) -> Version:
    """A version as JSON carries it: [epoch, sequence]."""
    match value:
        case [int(epoch), int(sequence)] if epoch >= 0 and sequence >= 0:
            return (epoch, sequence)
    raise BadTable(f"{value!r} is not a version")


def place_of(host: str) -> tuple[str, str]:
    """(name, path): "example.com/shop" is ("example.com", "/shop"); the path may be empty."""
    name, slash, path = host.partition("/")
    return name, slash + path


def claim(route: Route, owners: dict[str, str]) -> None:
    """Note whose each of the route's hosts is; raises BadTable when another app has one."""
    for host in route.hosts:
        owner = owners.setdefault(host, route.app)
        if owner != route.app:
            raise BadTable(f"host {host} is routed to both {owner} and {route.app}")


def _routes(document: dict[str, Any], at: str) -> tuple[Route, ...]:
    items = _list(document, "routes", at)
    routes = tuple(_route(item, f"routes[{i}]") for i, item in enumerate(items))
    if twice := _twice(route.app for route in routes):
        raise BadTable(f"the app {twice} has two routes; give one route all of its hosts")
    return routes


def _route(item: Any, at: str) -> Route:
    route = _object(item, at)
    hosts = _list(route, "hosts", at)
    for host in hosts:
        _check_place(host, at)
    if twice := _twice(hosts):
        raise BadTable(f"{at}.hosts names {twice} twice")
    mode = _str(route, "mode", at, SERVE)
    if mode not in MODES:
        raise BadTable(f"{at}.mode must be one of {', '.join(MODES)}")
    try:
        settings = RouteSettings.from_json(route.get("settings", {}))
    except BadSetting as error:
        raise BadTable(f"{at}.settings: {error}") from None
    return Route(
        app=_str(route, "app", at),
        hosts=tuple(hosts),
        targets=tuple(
            _target(target, f"{at}.targets[{i}]")
            for i, target in enumerate(_list(route, "targets", at))
        ),
        error=_str(route, "error", at, "H14"),
        redirect=_redirect(route, at),
        mode=mode,
        settings=settings,
        certificates=tuple(
            _certificate(certificate, f"{at}.certificates[{i}]")
            for i, certificate in enumerate(_list(route, "certificates", at))
        ),
        challenges=_challenges(route.get("challenges", {}), f"{at}.challenges"),
        watch=_str(route, "watch", at, ""),
    )


def _redirect(route: dict[str, Any], at: str) -> str:
    base = _str(route, "redirect", at, "")
    if base and not _BASE.fullmatch(base):
        raise BadTable(f"{at}.redirect must be a scheme, a host and a port")
    return base


def _challenges(item: Any, at: str) -> tuple[tuple[str, str], ...]:
    if not all(isinstance(text, str) and text for text in _object(item, at).values()):
        raise BadTable(f"{at} must map tokens to texts")
    return tuple(item.items())


def _certificate(item: Any, at: str) -> Certificate:
    certificate = _object(item, at)
    names = _list(certificate, "names", at)
    if not names or not all(isinstance(name, str) and name == name.lower() for name in names):
        raise BadTable(f"{at}.names must be lower-case names")
    chain, key = _str(certificate, "chain", at), _str(certificate, "key", at)
    return Certificate(tuple(names), chain, key)


def _check_place(host: Any, at: str) -> None:
    match = _PLACE.fullmatch(host) if isinstance(host, str) else None
    if match is None or {".", ".."} & set(match["path"].split("/")):
        raise BadTable(
            f"{at}.hosts must be lower-case names such as shop.example.com, *.example.com or "
            f"example.com/shop, not {host!r}"
        )


def _target(item: Any, at: str) -> Target:
    target = _object(item, at)
    port = _int(target, "port", at)
    if not 1 <= port <= 65535:
        raise BadTable(f"{at}.port must be 1 to 65535")
    return Target(
        id=_str(target, "id", at),
        host=_str(target, "host", at),
        port=port,
        instance=_str(target, "instance", at, ""),
        release=_str(target, "release", at, ""),
        weight=_int(target, "weight", at, 100),
    )


def _twice(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""


def _object(value: Any, at: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadTable(f"{at} must be an object")
    return value


def _list(item: dict[str, Any], key: str, at: str) -> list[Any]:
    value = item.get(key, [])
    if not isinstance(value, list):
        raise BadTable(f"{at}.{key} must be a list")
    return value


def _int(item: dict[str, Any], key: str, at: str, default: int | None = None) -> int:
    value = item.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadTable(f"{at}.{key} must be a whole number, not negative")
    return value


def _str(item: dict[str, Any], key: str, at: str, default: str | None = None) -> str:
    value = item.get(key, default)
    if not isinstance(value, str):
        raise BadTable(f"{at}.{key} must be a string")
    return value
