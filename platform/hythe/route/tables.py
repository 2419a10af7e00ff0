"""Which table counts: from the file, the control plane or the snapshot, checked, and kept.

A bad table, or a bad change, is refused whole; the old one stays.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from hythe import logs
from hythe.route import certificates
from hythe.route.ledger import Ledger
from hythe.route.options import RouterOptions
from hythe.route.snapshot import Snapshot
from hythe.route.tablefile import TableFile
from hythe.wire import BadTable, RouteTable, TableChange

log = logs.get(__name__)

T = TypeVar("T", RouteTable, TableChange)


class Tables:
    """`changed` gets the apps that a new table or a change touches; `missed` is called when a
    change does not follow the table that is here."""

    def __init__(
        self,
        options: RouterOptions,
        changed: Callable[[set[str]], None],
        missed: Callable[[], None],
    ) -> None:
        self.ledger = Ledger()
        self.file = TableFile(options.table) if options.table else None
        self.snapshot = Snapshot(options.snapshot) if options.snapshot else None
        self._speaks_tls = options.tls_port is not None
        self._changed = changed
        self._missed = missed

    def begin(self, inherited: str | None) -> bool:
        """Take the table to begin with, if there is one; false when the given file is no table.
        `inherited` is what the program before this one had."""
        table = RouteTable.loads(inherited) if inherited is not None else None
        if table is None and self.snapshot:
            table = self.snapshot.load()
        try:
            if self.file:
                table = self._check(self.file.read(table))
        except BadTable as error:
            log.error("table cannot be used", reason=error)
            if inherited is None:
                return False
        if table is not None:
            self._install(table)
        else:
            log.info("waiting for a table")
        return True

    def reload(self) -> None:
        """Read the table file again."""
        assert self.file is not None
        try:
            self._offer(self._check(self.file.read(self.ledger.table)))
        except BadTable as error:
            log.error("table refused, the old one stays", reason=error)

    def hear(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """What the control plane says; the answer, when a table is refused."""
        try:
            if message.get("type") == "table":
                self._offer(self._check(RouteTable.from_json(message.get("table"))))
            elif message.get("type") == "change":
                self._follow(self._check(TableChange.from_json(message)))
        except BadTable as error:
            log.error("table refused, the old one stays", reason=error)
            return {"type": "refused", "version": self.ledger.version, "reason": str(error)}
        return None

    def _check(self, news: T) -> T:
        """Raises BadTable when a certificate that is new in a table or change cannot be used."""
        for route in news.routes if self._speaks_tls else ():
            if route.certificates:
                before = self.ledger.routes.get(route.app)
                known = before.certificates if before else ()
                certificates.check(c for c in route.certificates if c not in known)
        return news

    def _offer(self, table: RouteTable) -> None:
        """Take a table if it is newer. Versions are ordered as pairs: of another epoch, only a
        higher one counts, so an old database that was brought back cannot undo routes unseen."""
        current = self.ledger.version
        if current is not None and table.version <= current:
            if table.version != current:
                log.warning("older table refused", offered=table.version, has=current)
            return
        self._install(table)
        self._keep()

    def _follow(self, change: TableChange) -> None:
        current = self.ledger.version
        if current is not None and change.version <= current:
            log.warning("older table refused", offered=change.version, has=current)
        elif change.after != current:
            self._missed()
        else:
            self._changed(self.ledger.change(change))
            self._keep()

    def _install(self, table: RouteTable) -> None:
        self._changed(self.ledger.install(table))
        log.info("table", version=table.version, routes=len(table.routes))

    def _keep(self) -> None:
        if self.snapshot:
            self.snapshot.put(self.ledger.document)
