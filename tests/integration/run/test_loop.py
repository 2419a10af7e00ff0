"""The loop's threads outlive what they meet."""

import threading
import time
from typing import Any

from sqlalchemy.exc import OperationalError

from hythe.engine.memory import Memory
from hythe.model import Database, Vault
from hythe.names import Names
from hythe.run.stage import RunStage
from hythe.settings import Settings


def test_engine_events_are_heard_after_the_database_was_away(
    settings: Settings, database: Database
) -> None:
    memory = Memory()
    stage = RunStage(
        settings,
        database,
        memory.engine,
        Names("abcdef"),
        Vault.open(settings.key_file),
        epoch=1,
        say=lambda *_: None,
        announce=lambda: None,
        isolate=lambda: None,
    )
    calls = []

    def away(name: str) -> Any:
        calls.append(name)
        raise OperationalError("select", {}, Exception("database is locked"))

    stage._loop.ring_owner = away  # type: ignore[method-assign]
    before = {t for t in threading.enumerate()}
    stage.start()
    try:
        deadline = time.monotonic() + 5
        while not memory.feeds and time.monotonic() < deadline:
            time.sleep(0.01)
        memory.feeds[0][1].add("hythe-abcdef.shop.web.1.i1")
        while not calls and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.3)
        mine = {t.name for t in threading.enumerate() if t not in before}
        assert "run-_events" in mine
    finally:
        stage.stop()
