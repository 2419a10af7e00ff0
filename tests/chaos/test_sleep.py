"""An app that sleeps: nothing open is ever cut, and the next request is held and answered."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from bench.installation import Installation, Project, until
from hythe.engine.port import Engine

pytestmark = [pytest.mark.chaos, pytest.mark.docker]

AFTER = 60  # seconds: the shortest that may be chosen


@pytest.fixture
def app(engine: Engine, tmp_path: Path) -> Iterator[Project]:
    """One with a WebSocket, which may sleep."""
    installation = Installation(tmp_path / "home")
    try:
        installation.up("--no-example")
        project = installation.project("naps", "fastapi-websocket", tmp_path / "naps")
        project.push()
        project.hythe("ps:sleep", "web", "--after", f"{AFTER}s")
        yield project
    finally:
        installation.remove()


def test_an_app_sleeps_when_nothing_is_open_and_wakes_by_a_request(
    app: Project, record_property: Any
) -> None:
    where = app.installation
    assert where.get(app.app).status == 200
    wire = socket.create_connection(("127.0.0.1", where.http_port))
    url = f"ws://{app.app}.localhost:{where.http_port}/echo"
    with connect(url, sock=wire, proxy=None) as echo:
        time.sleep(AFTER + 45)  # long past its time, and three looks
        assert "asleep" not in app.hythe("ps:sleep")
        echo.send("still here")
        assert echo.recv(timeout=10) == "still here"
    until(lambda: "asleep" in app.hythe("ps:sleep"), AFTER + 90)
    until(lambda: not where.containers(app.app, "web", running=True))
    assert app.hythe("apps").strip() == "naps (asleep)"
    began = time.monotonic()
    assert where.get(app.app, timeout=60).status == 200
    record_property("answered after", f"{time.monotonic() - began:.2f} s")
    kinds = [line.split()[3] for line in app.hythe("events", "-k", "app").splitlines()]
    assert kinds[-2:] == ["app.sleep", "app.wake"]
