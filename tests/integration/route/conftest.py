from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.route.rig import (
    RawServer,
    RouterProcess,
    Wire,
    make_options,
    make_table,
    write_table,
)


@pytest.fixture
def start_router(tmp_path: Path) -> Iterator[Callable[..., RouterProcess]]:
    """Start routers with any RouterOptions; they are stopped afterwards."""
    started: list[RouterProcess] = []

    def start(**given: Any) -> RouterProcess:
        started.append(RouterProcess(make_options(tmp_path, **given)))
        return started[-1]

    yield start
    for router in started:
        router.stop()
        failures = [e for e in router.events if e["event"] == "failure in the event loop"]
        assert not failures
        assert not router.other_output


@pytest.fixture
def serve() -> Iterator[Callable[..., RawServer]]:
    """Start raw servers; they are closed afterwards."""
    started: list[RawServer] = []

    def start(handle: Callable[[Wire, bytes], None]) -> RawServer:
        started.append(RawServer(handle))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def route_to(
    start_router: Callable[..., RouterProcess], tmp_path: Path
) -> Callable[..., RouterProcess]:
    """A router on a table file with one app on these servers: i1, i2, ..."""

    def start(*servers: RawServer, **given: Any) -> RouterProcess:
        file = tmp_path / "table.json"
        targets = {f"i{n}": server.port for n, server in enumerate(servers, 1)}
        write_table(file, make_table(targets))
        return start_router(table=file, **given)

    return start
