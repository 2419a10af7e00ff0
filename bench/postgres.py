"""A PostgreSQL server of a run's own, from Debian's package, in a temporary folder.

The tests use it as well. It does not wait for its disk.
"""

import os
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from hythe.model import Base

NOBODY = 65534


def programs() -> Path | None:
    """The folder of the newest server's programs; None where none is installed."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


class Server:
    """Started with `running`; every test gets databases of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._admin = create_engine(
            self.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool
        )
        self._template: str | None = None

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://hythe@127.0.0.1:{self.port}/{name}"

    def execute(self, url: str, statement: str) -> Any:
        """Run one statement and return the first value of its answer, if it has one."""
        engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            done = connection.execute(text(statement))
            return done.scalar() if done.returns_rows else None

    @contextmanager
    def ready_database(self) -> Iterator[str]:
        """The URL of a new database with all tables."""
        if self._template is None:
            self._template = "hythe_template"
            self.execute(self.url("postgres"), f"CREATE DATABASE {self._template}")
            engine = create_engine(self.url(self._template), poolclass=NullPool)
            Base.metadata.create_all(engine)
        with self.database(f"TEMPLATE {self._template}") as url:
            yield url

    @contextmanager
    def database(self, options: str = "") -> Iterator[str]:
        """The URL of a new, empty database, which goes at the end."""
        name = f"test_{secrets.token_hex(4)}"
        with self._admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} {options}"))
        try:
            yield self.url(name)
        finally:
            with self._admin.connect() as connection:
                connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def empty(url: str) -> None:
    """Delete all rows, and let ids begin anew."""
    engine = create_engine(url, poolclass=NullPool)
    names = ", ".join(Base.metadata.tables)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))


@contextmanager
def running(bin_folder: Path) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="hythe-postgres-") as home:
        somebody: list[str] = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            os.chown(home, NOBODY, NOBODY)
            somebody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]

        def command(name: str, *arguments: str) -> None:
            line = [*somebody, str(bin_folder / name), "-D", f"{home}/data", *arguments]
            subprocess.run(line, check=True, stdout=subprocess.DEVNULL, timeout=60, cwd=home)

        options = f"-p {port} -h 127.0.0.1 -k {home} -c fsync=off -c full_page_writes=off"
        command("initdb", "-U", "hythe", "-A", "trust", "-N", "--locale=C.UTF-8")
        command("pg_ctl", "-w", "-s", "-l", f"{home}/log", "-o", options, "start")
        try:
            yield Server(port)
        finally:
            command("pg_ctl", "-w", "-s", "-m", "immediate", "stop")
