"""The index of a table: from a host name and a path to a route. A new one for each change."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hythe.route import paths
from hythe.route.liveroute import LiveRoute
from hythe.wire import place_of


class AmbiguousPath(Exception):
    """Servers would not agree on which route the path falls under."""


class Prefixes:
    """The routes of one host name by path, the longest first."""

    __slots__ = ("rules",)

    def __init__(self, rules: Iterable[tuple[str, LiveRoute]]) -> None:
        self.rules = sorted(rules, key=lambda rule: -len(rule[0]))

    def find(self, path: str) -> LiveRoute | None:
        for prefix, route in self.rules:
            if not prefix or paths.under(path, prefix):
                return route
        return None


_Entry = LiveRoute | Prefixes
_Names = dict[str, _Entry]
_SHARDS = 64  # parts of the index; a change copies those that it touches


class Hosts:
    """Exact names, and wildcards by what follows their star. Immutable."""

    __slots__ = ("_exact", "_wild")

    def __init__(self, exact: tuple[_Names, ...] = ({},) * _SHARDS, wild: _Names | None = None):
        self._exact = exact  # by the hash of the name
        self._wild = wild or {}

    def find(self, host: str, target: bytes) -> LiveRoute | None:
        """The route of a request: an exact name before a wildcard, the longer wildcard and the
        longer path first. Raises AmbiguousPath."""
        found = self._exact[hash(host) % _SHARDS].get(host)
        if type(found) is LiveRoute:
            return found
        if found is None and not self._wild:
            return None
        entries = self._entries(host)
        if not any(type(entry) is Prefixes for entry in entries):
            return _first(entries, "")
        routes = {_first(entries, path) for path in paths.readings(target)}
        if len(routes) > 1:
            raise AmbiguousPath
        return routes.pop()

    def _entries(self, host: str) -> list[_Entry]:
        """What may apply to a host name, the most exact first."""
        exact = self._exact[hash(host) % _SHARDS].get(host)
        entries = [exact] if exact is not None else []
        dot = host.find(".")
        while self._wild and dot >= 0:
            if (entry := self._wild.get(host[dot:])) is not None:
                entries.append(entry)
            dot = host.find(".", dot + 1)
        return entries

    def replaced(self, old: Iterable[LiveRoute], new: Collection[LiveRoute]) -> Hosts:
        """The index without `old` routes and with `new` ones. Costs no parse of the others."""
        gone, come = _places(old), _places(new)
        exact = list(self._exact)
        for shard in (gone.keys() | come.keys()) - {_WILD}:
            exact[shard] = _edited(exact[shard], gone.get(shard, []), come.get(shard, []))
        wild = _edited(self._wild, gone.get(_WILD, []), come.get(_WILD, []))
        return Hosts(tuple(exact), wild)


def _first(entries: Iterable[_Entry], path: str) -> LiveRoute | None:
    for entry in entries:
        route = entry.find(path) if isinstance(entry, Prefixes) else entry
        if route is not None:
            return route
    return None


_WILD = -1
_Rule = tuple[str, str, LiveRoute]  # name, path, route


def _places(routes: Iterable[LiveRoute]) -> dict[int, list[_Rule]]:
    """All places of the routes by shard."""
    found: dict[int, list[_Rule]] = {}
    for route in routes:
        for host in route.wire.hosts:
            name, path = place_of(host)
            shard = _WILD if name.startswith("*") else hash(name) % _SHARDS
            found.setdefault(shard, []).append((name.removeprefix("*"), path, route))
    return found


def _edited(names: _Names, gone: list[_Rule], come: list[_Rule]) -> _Names:
    if not gone and not come:
        return names
    made = names.copy()
    touched: dict[str, dict[str, LiveRoute]] = {}  # the rules of a name by path
    for name, _, _ in (*gone, *come):
        if name not in touched:
            touched[name] = _rules(names.get(name))
    for name, path, _ in gone:
        touched[name].pop(path, None)
    for name, path, route in come:
        touched[name][path] = route
    for name, rules in touched.items():
        if not rules:
            made.pop(name, None)
        elif rules.keys() == {""}:
            made[name] = rules[""]
        else:
            made[name] = Prefixes(rules.items())
    return made


def _rules(entry: _Entry | None) -> dict[str, LiveRoute]:
    if entry is None:
        return {}
    return dict(entry.rules) if isinstance(entry, Prefixes) else {"": entry}
