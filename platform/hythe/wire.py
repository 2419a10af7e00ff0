"""What the control plane and the routers say to each other: the routers' only contract.

A RouteTable is an immutable value with a version (epoch, sequence), ordered as a pair. The epoch is
new for each database history, so that a restored database cannot run a router backwards unseen.

The link is a stream of JSON lines. A router dials in and says hello; the control plane answers with
the table, and again whenever it changes; the router reports once all its workers have applied it,
at least once a second (its lease), and as soon as a retired target has no request in flight.

    router  -> control  {"type": "hello", "router": ID, "workers": N, "version": [E, S] | null}
    control -> router   {"type": "table", "table": {...}}
    router  -> control  {"type": "report", "version": [E, S], "in_flight": {TARGET_ID: N, ...}}

Readers ignore keys that they do not know, so that neighbouring versions understand each other.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

Version = tuple[int, int]

LEASE_SECONDS = 5.0
"""A router that has not reported for this long leaves the set whose acks are awaited."""


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


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate for TLS, with its private key."""

    names: tuple[str, ...]  # what it is good for: "shop.example.com", "*.example.com"
    chain: str  # PEM, the server's own first
    key: str = field(default="", repr=False)  # PEM, not encrypted


@dataclass(frozen=True, slots=True)
class Route:
    """An app's host names and the targets behind them."""

    app: str
    hosts: tuple[str, ...]
    targets: tuple[Target, ...] = ()
    error: str = "H14"  # the code to answer while there are no targets: H10, H14, H80
    certificates: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteTable:
    epoch: int
    sequence: int
    routes: tuple[Route, ...] = field(default=())

    @property
    def version(self) -> Version:
        return (self.epoch, self.sequence)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Any) -> "RouteTable":
        """Check a decoded JSON document and make the table; raises BadTable."""
        table = _object(document, "table")
        routes = tuple(
            _route(item, f"routes[{i}]") for i, item in enumerate(_list(table, "routes", "table"))
        )
        seen: dict[str, str] = {}
        for route in routes:
            for host in route.hosts:
                if host in seen:
                    raise BadTable(f"host {host} is routed to both {seen[host]} and {route.app}")
                seen[host] = route.app
        return cls(_int(table, "epoch", "table"), _int(table, "sequence", "table"), routes)

    @classmethod
    def loads(cls, text: str | bytes) -> "RouteTable":
        try:
            return cls.from_json(json.loads(text))
        except json.JSONDecodeError as error:
            raise BadTable(f"not JSON: {error}") from None


def _route(item: Any, at: str) -> Route:
    route = _object(item, at)
    hosts = _list(route, "hosts", at)
    if not all(isinstance(host, str) and host == host.lower() and host for host in hosts):
        raise BadTable(f"{at}.hosts must be lower-case names")
    return Route(
        app=_str(route, "app", at),
        hosts=tuple(hosts),
        targets=tuple(
            _target(target, f"{at}.targets[{i}]")
            for i, target in enumerate(_list(route, "targets", at))
        ),
        error=_str(route, "error", at, "H14"),
        certificates=tuple(
            _certificate(certificate, f"{at}.certificates[{i}]")
            for i, certificate in enumerate(_list(route, "certificates", at))
        ),
    )


def _certificate(item: Any, at: str) -> Certificate:
    certificate = _object(item, at)
    names = _list(certificate, "names", at)
    if not names or not all(isinstance(name, str) and name == name.lower() for name in names):
        raise BadTable(f"{at}.names must be lower-case names")
    chain, key = _str(certificate, "chain", at), _str(certificate, "key", at)
    return Certificate(tuple(names), chain, key)


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
