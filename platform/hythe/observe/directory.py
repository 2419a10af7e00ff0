"""The control plane's end of apps.json: written from the rows whenever they differ from it."""

import threading

from sqlalchemy import select

from hythe import logs
from hythe.errors import HytheError
from hythe.model import App, Database, Domain, Drain
from hythe.observe.apps import Apps, DrainPlace
from hythe.settings import Settings

log = logs.get(__name__)


class Directory:
    """Keeps the collector informed of which app answers where."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._told: Apps | None = None
        self._gone: set[int] = set()
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Tell what has changed. Never raises: who routes or starts apps does not wait for logs."""
        with self._lock:
            try:
                apps = self._read()
                if apps != self._told:
                    self._told = None
                    apps.save(self._settings.home)
                    self._told = apps
            except (OSError, HytheError) as error:  # the next call tries again
                log.warning("the collector was not told of the apps", error=str(error))

    def forget(self, app_id: int) -> None:
        """Leave out an app whose rows are about to go."""
        self._gone.add(app_id)
        self.refresh()

    def _read(self) -> Apps:
        with self._database.read() as session:
            apps = session.execute(select(App.id, App.name, App.destroyed_at)).all()
            domains = session.execute(select(Domain.app_id, Domain.host)).all()
            drains = session.execute(
                select(Drain.id, Drain.app_id, App.name, Drain.url)
                .join(App, App.id == Drain.app_id)
                .where(App.destroyed_at.is_(None))
                .order_by(Drain.id)
            ).all()
        hosts = {
            f"{name}.{self._settings.domain}": app_id for app_id, name, gone in apps if gone is None
        }
        hosts |= {host: app_id for app_id, host in domains}
        ids = frozenset(app_id for app_id, _, _ in apps)
        self._gone &= ids  # an id may be given again
        kept = self._settings.log_bytes, self._settings.log_days
        places = [DrainPlace(key, app, name, url.decode()) for key, app, name, url in drains]
        names = {name: app_id for app_id, name, gone in apps if gone is None}
        return Apps(*kept, ids - self._gone, hosts, tuple(places), names)
