"""The master's copy of the table: what it checks changes against, and forks workers with.

A change costs what changed, not what there is: routes are kept by app, with their JSON, and hosts
by owner.
"""

import json
from collections.abc import Iterable

from hythe.wire import BadTable, Route, RouteTable, TableChange, Version, claim


class Ledger:
    def __init__(self) -> None:
        self.version: Version | None = None
        self.routes: dict[str, Route] = {}  # by app
        self._texts: dict[str, str] = {}  # by app, as JSON
        self._owners: dict[str, str] = {}  # app by host
        self._targets: dict[str, str] = {}  # app by id
        self._watches: dict[str, str] = {}  # by app

    def __len__(self) -> int:
        return len(self.routes)

    @property
    def table(self) -> RouteTable | None:
        return RouteTable(*self.version, tuple(self.routes.values())) if self.version else None

    def lists(self, target: str) -> bool:
        """Whether a target with this id is in the table."""
        return target in self._targets

    def app_of(self, target: str) -> str:
        """The app of a target; "" when it has left the table."""
        return self._targets.get(target, "")

    def watches(self, word: str) -> bool:
        """Whether a route is counted under this word."""
        return word in self._watches.values()

    def install(self, table: RouteTable) -> set[str]:
        """Take a whole table; gives the apps that it changes."""
        now = {route.app for route in table.routes}
        gone = self.routes.keys() - now
        fresh = [route for route in table.routes if self.routes.get(route.app) != route]
        return self._write(table.version, fresh, gone)

    def change(self, change: TableChange) -> set[str]:
        """Take a change whole, and give the apps that it touches; raises BadTable."""
        if change.after != self.version:
            raise BadTable(f"the change is to {change.after}, and this is {self.version}")
        moved = {route.app for route in change.routes} | set(change.gone)
        claimed: dict[str, str] = {}
        for route in change.routes:
            claim(route, claimed)
        for host, app in claimed.items():
            owner = self._owners.get(host, app)
            if owner != app and owner not in moved:
                raise BadTable(f"host {host} is routed to both {owner} and {app}")
        return self._write(change.version, change.routes, change.gone)

    def _write(self, version: Version, routes: Iterable[Route], gone: Iterable[str]) -> set[str]:
        fresh = {route.app: route for route in routes}
        touched = fresh.keys() | gone
        for app in touched & self.routes.keys():
            self._forget(self.routes.pop(app))
        for app, route in fresh.items():
            self.routes[app] = route
            self._texts[app] = json.dumps(route.to_json(), separators=(",", ":"))
            self._owners.update(dict.fromkeys(route.hosts, app))
            self._targets.update((target.id, app) for target in route.targets)
            if route.watch:
                self._watches[app] = route.watch
        self.version = version
        return touched

    def _forget(self, route: Route) -> None:
        del self._texts[route.app]
        self._watches.pop(route.app, None)
        for host in route.hosts:
            del self._owners[host]
        for target in route.targets:
            self._targets.pop(target.id, None)

    # As JSON

    def document(self) -> str:
        """The whole table."""
        epoch, sequence = self.version or (0, 0)
        routes = ",\n".join(self._texts.values())
        return f'{{"epoch":{epoch},"sequence":{sequence},"routes":[\n{routes}\n]}}\n'

    def change_text(self, after: Version, apps: Iterable[str]) -> str:
        """The message that brings a worker from `after` to now; `apps` were touched since."""
        here = [app for app in apps if app in self._texts]
        gone = [app for app in apps if app not in self._texts]
        version = list(self.version or (0, 0))
        return (
            f'{{"type":"change","after":{json.dumps(after)},"version":{json.dumps(version)},'
            f'"routes":[{",".join(map(self._texts.__getitem__, here))}],"gone":{json.dumps(gone)}}}'
        )
