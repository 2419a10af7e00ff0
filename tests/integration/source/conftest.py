"""A real git client against a real HTTP server."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from integration.source.place import SECONDS, LaterStages, Place, eventually, web_app

from hythe.model import Database, Vault
from hythe.settings import Settings
from hythe.source.stage import SourceStage


@pytest.fixture
def loop() -> str:
    """The event loop that serves; a test may parametrize it."""
    return "asyncio"


@pytest.fixture
def place(settings: Settings, database: Database, tmp_path: Path, loop: str) -> Iterator[Place]:
    stage = SourceStage(settings, database, Vault.open(settings.key_file))
    stage.start()
    web = web_app(settings, database, stage)
    server = uvicorn.Server(
        uvicorn.Config(web, port=0, loop=loop, log_level="warning", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started, "the HTTP server")
    port = server.servers[0].sockets[0].getsockname()[1]
    later = LaterStages(settings, database)
    yield Place(settings, database, stage, later, f"http://127.0.0.1:{port}", tmp_path)
    stage.stop()
    server.should_exit = True
    thread.join(SECONDS)
