"""Fixtures that all tests share: real parts, each in a place of its own."""

import os
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hythe.engine.port import Engine
from hythe.errors import EngineAway
from hythe.model import Database
from hythe.settings import Settings

REQUIRED = frozenset(filter(None, os.environ.get("HYTHE_REQUIRE", "").split(",")))
LABEL_RUN = "io.hythe.test-run"
NOBODY = 65534


def missing(part: str, reason: str) -> None:
    """Skip the test, or fail it where HYTHE_REQUIRE names the part."""
    if part in REQUIRED:
        pytest.fail(f"{part} is required here: {reason}", pytrace=False)
    pytest.skip(f"needs {part}: {reason}")


@pytest.fixture(autouse=True)
def _no_inherited_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shell's HYTHE_* variables are about somebody's installation, not about a test."""
    for name in os.environ:
        if name.startswith("HYTHE_") and name != "HYTHE_REQUIRE":
            monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation of its own in a temporary HYTHE_HOME."""
    home = tmp_path / "home"
    home.mkdir()
    return Settings(home=home)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """An empty SQLite database with all tables."""
    database = Database(settings.database)
    database.create_all()
    yield database
    database.close()


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The Docker engine of this machine."""
    from hythe.engine import docker

    try:
        engine = docker.connect()
        engine.instances.ping()
    except EngineAway as error:
        missing("docker", f"{error.cause} Start it with `bin/up`, or use `bin/test`.")
    return engine


@pytest.fixture(scope="session")
def docker_label() -> Iterator[dict[str, str]]:
    """A label for the containers, networks, volumes and images of this run; they are removed."""
    run = secrets.token_hex(4)
    yield {LABEL_RUN: run}
    if Path("/var/run/docker.sock").exists():
        _remove_labelled(f"{LABEL_RUN}={run}")


def _remove_labelled(label: str) -> None:
    import docker

    client = docker.from_env()
    only = {"label": label}
    for container in client.containers.list(all=True, filters=only):
        container.remove(force=True, v=True)
    for network in client.networks.list(filters=only):
        network.remove()
    for volume in client.volumes.list(filters=only):
        volume.remove(force=True)
    for image in client.images.list(filters=only):
        client.images.remove(image.id, force=True)
    client.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server of this run's own, as a SQLAlchemy URL of its `postgres` database."""
    pytest.importorskip("psycopg", exc_type=ImportError)
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        missing("postgres", "no server is installed (Debian's package `postgresql`).")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="hythe-postgres-") as home:
        somebody: list[str] = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            os.chown(home, NOBODY, NOBODY)
            somebody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]

        def command(name: str, *arguments: str) -> None:
            line = [*somebody, str(found[-1] / name), "-D", f"{home}/data", *arguments]
            subprocess.run(line, check=True, stdout=subprocess.DEVNULL, timeout=60, cwd=home)

        options = f"-p {port} -h 127.0.0.1 -k {home} -c fsync=off"
        command("initdb", "-U", "hythe", "-A", "trust")
        command("pg_ctl", "-w", "-s", "-l", f"{home}/log", "-o", options, "start")
        yield f"postgresql+psycopg://hythe@127.0.0.1:{port}/postgres"
        command("pg_ctl", "-w", "-s", "-m", "immediate", "stop")


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database."""
    from sqlalchemy import create_engine, text

    name = f"test_{secrets.token_hex(4)}"
    server = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield postgres_server.replace("/postgres", f"/{name}")
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()
