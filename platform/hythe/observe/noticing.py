"""The control plane's end of notices: what the collector saw becomes an event."""

from hythe.model import App, Database
from hythe.observe.notices import Notices
from hythe.settings import Settings


class Noticing:
    """Makes events of the collector's notices."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._notices = Notices(settings.home)
        self._database = database

    def look(self) -> None:
        """Raises a HytheError when the database is away; the notices stay then."""
        waiting = self._notices.waiting()
        if not waiting:
            return
        with self._database.write() as tx:
            for _, notice in waiting:
                if tx.get(App, notice.app_id) is not None:
                    app_id, fix = notice.app_id, notice.fix
                    tx.note(notice.kind, notice.message, app_id=app_id, fix=fix)
        for path, _ in waiting:
            path.unlink(missing_ok=True)
