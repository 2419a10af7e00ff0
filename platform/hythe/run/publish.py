"""The route table: derived from the instances that are up, published under a new version."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from math import gcd

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select
from sqlalchemy.orm import Session

from hythe.model import (
    App,
    Certificate,
    Database,
    Deployment,
    Domain,
    Formation,
    Installation,
    Instance,
    Release,
    Routing,
    Sleep,
    Table,
    Vault,
    Write,
)
from hythe.process_settings import CANARY
from hythe.route_settings import RouteSettings
from hythe.run.desired import BOTH, WAIT, WEB
from hythe.run.traffic import word_of
from hythe.settings import Settings
from hythe.spec import ReleaseSpec
from hythe.wire import HOLD, SERVE, Route, RouteTable, Target, Version
from hythe.wire import Certificate as WireCertificate

KEPT = 20


class Publisher:
    """Publishes at most one table at a time; an equal table is not published again."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        vault: Vault,
        epoch: int,
        send: Callable[[RouteTable], None],
    ) -> None:
        self._vault = vault
        self._settings = settings
        self._database = database
        self._epoch = epoch
        self._send = send
        self._lock = threading.Lock()
        self._table = RouteTable(epoch, 0)
        self._changes = 1  # of rows, as far as is known here
        self._compared = 0  # how many of them the table was compared with
        database.after_commit(self.look_again)

    @property
    def version(self) -> Version:
        return self._table.version

    def look_again(self) -> None:
        """Rows have changed."""
        self._changes += 1

    def refresh(self, *, always: bool = False) -> None:
        """Publish if the newest table is not what the rows say.

        Deriving it takes longer the more apps there are, so it is left out while nothing changed;
        unless `always`, since a change by another process may not have been heard of.
        """
        changes = self._changes
        if changes == self._compared and not always:
            return
        with self._database.read() as session:
            stale = derive(session, self._settings) != self._table.routes or session.scalar(
                select(exists().where(_leaving()))
            )
        if stale:
            self.publish()
        self._compared = changes

    def overtake(self, version: Version) -> None:
        """Publish under a version above one that a router has and this database does not know.

        That is so after the database was restored from a backup.
        """
        with self._lock:
            if version <= self._table.version:
                return
            with self._database.write() as tx:
                self._epoch = tx.scalars(select(Installation)).one().epoch = version[0] + 1
            self._table = RouteTable(self._epoch, 0)
        self.publish()

    def publish(self) -> None:
        """Bring the table up to date with the rows, and tell the routers.

        In the same transaction, instances that drain learn the first version without them.
        """
        with self._lock:
            with self._database.write() as tx:
                newest = self._newest(tx)
                routes = derive(tx, self._settings)
                table = newest
                if newest is None or newest.routes != routes:
                    sequence = newest.sequence + 1 if newest is not None else 1
                    table = RouteTable(self._epoch, sequence, routes)
                    tx.add(
                        Table(
                            epoch=table.epoch,
                            sequence=table.sequence,
                            document=json.dumps(table.to_json()),
                        )
                    )
                    tx.execute(
                        delete(Table).where(
                            (Table.epoch != self._epoch) | (Table.sequence <= sequence - KEPT)
                        )
                    )
                assert table is not None
                self._mark_left(tx, table.version)
                changed = table != self._table
                message = self._with_keys(tx, table) if changed else table
            if changed:
                self._table = table
                self._send(message)

    def _with_keys(self, tx: Write, table: RouteTable) -> RouteTable:
        """The table as routers need it; as it is stored, it has no private keys."""
        if not any(route.certificates for route in table.routes):
            return table
        rows = tx.execute(select(Certificate.chain, Certificate.key))
        sealed = {chain: key for chain, key in rows}
        routes = tuple(
            replace(
                route,
                certificates=tuple(
                    replace(each, key=self._vault.unseal(sealed[each.chain]))
                    for each in route.certificates
                    if each.chain in sealed  # else it is gone already, and so is this table soon
                ),
            )
            if route.certificates
            else route
            for route in table.routes
        )
        return replace(table, routes=routes)

    def _newest(self, tx: Write) -> RouteTable | None:
        if self._table.sequence:
            return self._table
        row = tx.scalars(
            select(Table).where(Table.epoch == self._epoch).order_by(Table.sequence.desc())
        ).first()
        return RouteTable.loads(row.document) if row is not None else None

    @staticmethod
    def _mark_left(tx: Write, version: Version) -> None:
        for row in tx.scalars(select(Instance).where(_leaving())):
            row.left_epoch, row.left_sequence = version


def _leaving() -> ColumnElement[bool]:
    """Instances that drain and do not know yet which table is the first without them."""
    return and_(Instance.state == "draining", Instance.left_sequence.is_(None))


def derive(session: Session, settings: Settings) -> tuple[Route, ...]:
    """The routes of all apps: their hosts, and the web instances that are up and serve.

    An app without such an instance answers with H10 when its instances crashed, else H14. The last
    route is the control plane's name, which no app has: routers refuse it, or send people on.
    """
    apps = session.execute(
        select(App.id, App.name).where(App.destroyed_at.is_(None)).order_by(App.id)
    ).all()
    reserved = {settings.control_host, *(settings.app_host(name) for _, name in apps)}
    hosts: dict[int, list[str]] = {}
    for app_id, host in session.execute(select(Domain.app_id, Domain.host)):
        if host.partition("/")[0] not in reserved:  # it was free under another HYTHE_DOMAIN
            hosts.setdefault(app_id, []).append(host)
    certificates: dict[int, list[Certificate]] = {}
    for certificate in session.scalars(select(Certificate).order_by(Certificate.id)):
        certificates.setdefault(certificate.app_id, []).append(certificate)
    targets: dict[int, list[Target]] = {}
    crashed: set[int] = set()
    coming: set[int] = set()
    canaries: dict[int, tuple[str, int]] = {}  # release and percent, by app
    serving = (
        select(Instance, Deployment.sharing, Deployment.share, Release)
        .join(App, App.id == Instance.app_id)
        .join(Deployment, Deployment.id == Instance.deployment_id)
        .join(Release, Release.id == Deployment.release_id)
        .where(
            or_(
                Instance.deployment_id == App.serving_id,
                Deployment.sharing == BOTH,
                and_(Deployment.sharing == CANARY, Deployment.status == "rolling"),
            ),
            Instance.process == WEB,
            Instance.state.in_(["up", "crashed", "starting", "pending"]),
        )
        .order_by(Instance.id)
    )
    for instance, sharing, share, release in session.execute(serving):
        if instance.state == "up":
            if sharing == CANARY and share is not None:
                canaries[instance.app_id] = (f"v{release.version}", share)
            targets.setdefault(instance.app_id, []).append(
                Target(
                    id=f"i{instance.id}",
                    host=instance.address,
                    port=ReleaseSpec.of(release).port,
                    instance=f"{instance.process}.{instance.index}",
                    release=f"v{release.version}",
                )
            )
        elif instance.crashes and not sharing:
            crashed.add(instance.app_id)
        else:
            coming.add(instance.app_id)
    watches, waiting = _watches(session), _waiting(session, coming - targets.keys())
    handling = {row.app_id: row for row in session.scalars(select(Routing))}
    resting = {
        app_id
        for app_id, state in _sleepers(session).items()
        if app_id not in crashed and (state != "awake" or app_id not in targets)
    }
    routes = [
        Route(
            app=name,
            hosts=(settings.app_host(name), *sorted(hosts.get(app_id, []))),
            targets=_weighted(targets.get(app_id, []), canaries.get(app_id)),
            error="H10" if app_id in crashed else "H14",
            certificates=tuple(
                _shown(
                    certificates.get(app_id, []),
                    (settings.app_host(name), *hosts.get(app_id, [])),
                )
            ),
            mode=_mode(
                handling.get(app_id),
                app_id in resting or (app_id in waiting and app_id not in targets),
            ),
            settings=RouteSettings.from_json(
                handling[app_id].settings if app_id in handling else {}
            ),
            watch=watches.get(app_id, ""),
        )
        for app_id, name in apps
    ]
    control = Route(
        app="hythe", hosts=(settings.control_host,), error="H32", redirect=settings.control_url
    )
    return (*routes, control)


def _sleepers(session: Session) -> dict[int, str]:
    """The states of apps that may sleep, and would serve if they were awake."""
    web = and_(Formation.app_id == Sleep.app_id, Formation.process == WEB, Formation.quantity > 0)
    query = (
        select(Sleep.app_id, Sleep.state)
        .join(Formation, web)
        .join(App, App.id == Sleep.app_id)
        .where(App.serving_id.is_not(None))
    )
    return {app_id: state for app_id, state in session.execute(query)}


def _weighted(targets: list[Target], canary: tuple[str, int] | None) -> tuple[Target, ...]:
    """The targets, so that those of a canary get its share of the requests together."""
    if canary is None:
        return tuple(targets)
    release, share = canary
    new = sum(target.release == release for target in targets)
    weights = {True: share * (len(targets) - new), False: (100 - share) * new}
    least = gcd(*weights.values()) or 1
    return tuple(
        replace(target, weight=weights[target.release == release] // least or 1)
        for target in targets
    )


def _watches(session: Session) -> dict[int, str]:
    """The word to count an app's requests under, from the first start of a deployment that takes
    over until nothing is left of the one before."""
    started = exists().where(
        Instance.deployment_id == Deployment.id, Instance.started_at.is_not(None)
    )
    begun = (
        select(Deployment.app_id, Deployment.id)
        .join(App, App.id == Deployment.app_id)
        .where(Deployment.status == "rolling", App.serving_id.is_not(None), started)
    )
    open_ = (
        select(Deployment.app_id, Deployment.id)
        .join(App, App.serving_id == Deployment.id)
        .where(Deployment.switch_requests.is_not(None), Deployment.switch_ended_at.is_(None))
    )
    rows = [*session.execute(open_), *session.execute(begun)]  # the one that begins goes before
    return {app_id: word_of(deployment_id) for app_id, deployment_id in rows}


def _waiting(session: Session, returning: Iterable[int]) -> set[int]:
    """Apps whose old instances end before the new ones start; of those in `returning`, whose old
    instances boot, those where that has just failed."""
    waiting = set(
        session.scalars(
            select(Deployment.app_id).where(
                Deployment.status == "rolling", Deployment.sharing == WAIT
            )
        )
    )
    for app_id in returning:
        newest = session.scalars(
            select(Deployment)
            .where(Deployment.app_id == app_id, Deployment.release_id.is_not(None))
            .order_by(Deployment.id.desc())
            .limit(1)
        ).first()
        if newest is not None and (newest.status, newest.sharing) == ("failed", WAIT):
            waiting.add(app_id)
    return waiting


def _mode(handling: Routing | None, waits: bool) -> str:
    mode = handling.mode if handling is not None else SERVE
    return HOLD if waits and mode == SERVE else mode


def _shown(certificates: Iterable[Certificate], hosts: Iterable[str]) -> Iterator[WireCertificate]:
    """Each certificate, for those of the app's hosts that it covers and no newer one does."""
    left = {host.partition("/")[0] for host in hosts}
    for certificate in reversed(list(certificates)):
        names = {host for host in left if certificate.covers(host)}
        left -= names
        if names:
            yield WireCertificate(tuple(sorted(names)), certificate.chain)
