"""Hearing the bells of other control planes: PostgreSQL's NOTIFY, sent with each poking commit."""

import threading
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from hythe import logs
from hythe.model.connect import connect
from hythe.model.database import CHANNEL, Database

PAUSE_SECONDS = 1.0

log = logs.get(__name__)


class Hearing:
    """A thread that rings this process's bells for the commits of others."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hearing", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(2 * PAUSE_SECONDS)

    def _run(self) -> None:
        engine = connect(self._database.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        while not self._stopping.is_set():
            try:
                with engine.connect() as connection:
                    connection.exec_driver_sql(f"LISTEN {CHANNEL}")
                    self._listen(connection.connection.driver_connection)
            except Exception as error:  # what is missed meanwhile is found by a resync
                if not isinstance(error, SQLAlchemyError):
                    log.warning("other control planes are not heard", error=repr(error))
                self._stopping.wait(PAUSE_SECONDS)

    def _listen(self, connection: Any) -> None:
        while not self._stopping.is_set():
            for notice in connection.notifies(timeout=PAUSE_SECONDS):
                self._database.hear(notice.payload)
