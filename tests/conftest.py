"""Fixtures that all tests share: real parts, each in a place of its own."""

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tables

from bench import belongings, postgres
from bench.postgres import Server, empty
from hythe.engine.port import Engine
from hythe.errors import EngineAway
from hythe.model import Database
from hythe.settings import Settings

REQUIRED = frozenset(filter(None, os.environ.get("HYTHE_REQUIRE", "").split(",")))
LABEL_RUN = "io.hythe.test-run"


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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=["sqlite", "postgres", "both"], default="both")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever uses a database runs on SQLite and on PostgreSQL, unless it is `one_database`."""
    used = set(metafunc.fixturenames)
    if "store" in used and used & {"database", "fresh"}:
        chosen = metafunc.config.getoption("--database")
        both = [
            pytest.param("sqlite", marks=[]),
            pytest.param("postgres", marks=[pytest.mark.postgres]),
        ]
        if metafunc.definition.get_closest_marker("one_database"):
            both = both[:1]
        stores = [one for one in both if chosen in ("both", one.values[0])]
        metafunc.parametrize("store", stores, indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty PostgreSQL database with all tables; empty for SQLite."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield ""
        return
    server: Server = request.getfixturevalue("postgres_server")
    with server.ready_database() as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path, store: str) -> Settings:
    """An installation of its own in a temporary HYTHE_HOME."""
    home = tmp_path / "home"
    home.mkdir()
    return Settings(home=home, database_url=store, build_weight=100)  # tests take all processors


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """An empty database with all tables."""
    database = tables.ready(settings)
    yield database
    database.close()


@pytest.fixture
def fresh(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Settings]:
    """Makes installations, one after the other, each with a new home and an empty database."""

    def make() -> Settings:
        if settings.database_url:
            empty(settings.database_url)
        return replace(settings, home=tmp_path_factory.mktemp("home"))

    return make


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
        belongings.remove(f"{LABEL_RUN}={run}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server of this run's own."""
    found = postgres.programs()
    if found is None:
        missing("postgres", "no server is installed (Debian's package `postgresql`).")
    assert found is not None
    with postgres.running(found) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """An empty PostgreSQL database."""
    with postgres_server.database() as url:
        yield url
