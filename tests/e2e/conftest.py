"""One installation for all end-to-end tests: started by bin/up, driven by git and bin/hythe."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.installation import Installation, Project
from hythe.engine.port import Engine

numbers = itertools.count(1)


@pytest.fixture(scope="session")
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Empty for SQLite; `--database postgres` runs all of these tests on PostgreSQL."""
    if request.config.getoption("--database") != "postgres":
        yield ""
        return
    with request.getfixturevalue("postgres_server").database() as url:
        yield url


@pytest.fixture(scope="session")
def installation(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory, database_url: str
) -> Iterator[Installation]:
    settings = {"HYTHE_BOOT_TIMEOUT": "15", "HYTHE_MAX_INSTANCES": "10"}
    if database_url:
        settings["HYTHE_DATABASE_URL"] = database_url
    installation = Installation(tmp_path_factory.mktemp("e2e") / "home", **settings)
    try:
        installation.up("--no-example")
        yield installation
    finally:
        installation.remove()


@pytest.fixture
def make_project(installation: Installation, tmp_path: Path) -> Iterator[Callable[[str], Project]]:
    """Makes an app from an example, with a repository to push; the apps go at the end."""
    made: list[Project] = []

    def make(example: str) -> Project:
        app = f"{example.split('-')[0]}{next(numbers)}"
        made.append(installation.project(app, example, tmp_path / app))
        return made[-1]

    yield make
    for project in made:
        project.hythe("apps:destroy", "--confirm", project.app)
