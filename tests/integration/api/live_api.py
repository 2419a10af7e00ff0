"""A control plane's API on a real socket and database; no build, no engine behind it."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import cast

import httpx
import uvicorn
from fastapi import FastAPI

from hythe.api.actor import Scope
from hythe.api.app import endpoints, serving
from hythe.api.context import Context
from hythe.api.server import websocket_protocol
from hythe.api.tokens import mint
from hythe.engine import docker
from hythe.engine.port import Engine
from hythe.model import Database, Deployment, Release, Vault, now
from hythe.model.deployment import UNDER_WAY
from hythe.names import Names
from hythe.observe.reader import LogReader
from hythe.release.changes import ReleaseChanges
from hythe.settings import Settings
from hythe.source.stage import SourceStage
from hythe.transcript import Transcript


class ControlPlane:
    """What a test needs of it."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.settings = context.settings
        self.database = context.database
        self.vault = context.vault
        self.url = context.settings.api_url

    def token(self, scope: Scope = "manage", name: str = "tester") -> str:
        with self.database.write() as tx:
            return mint(tx, name, scope)[1]

    def client(self, scope: Scope = "manage") -> httpx.Client:
        """An HTTP client with a token of this scope."""
        return self.with_token(self.token(scope))

    def with_token(self, token: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=20, verify=False)

    @contextmanager
    def carrying_out(self, error: tuple[str, str, str] | None = None) -> Iterator[None]:
        """Stand in for the stages: end each deployment at once, live or with an error."""
        bell, over = self.database.subscribe(), threading.Event()

        def work() -> None:
            while not over.is_set():
                bell.wait(0.2)
                self._end_all(error)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            yield
        finally:
            over.set()
            worker.join()

    def _end_all(self, error: tuple[str, str, str] | None) -> None:
        with self.database.write() as tx:
            for row in tx.query(Deployment).where(Deployment.status.in_(UNDER_WAY)):
                transcript = Transcript.of(self.settings, row.id)
                transcript.step("Starting web.1")
                if error is None:
                    transcript.done("deployed")
                    row.status = "live"
                else:
                    transcript.warn(f"{error[1]}\n{error[2]}")
                    row.status = "failed"
                    row.error_code, row.error_cause, row.error_fix = error
                row.ended_at = now()

    def versions(self) -> list[int]:
        with self.database.read() as session:
            return [row.version for row in session.query(Release).order_by(Release.version)]


# To make the endpoints takes longer than most tests; two planes at once have their own.
_idle_endpoints: list[FastAPI] = []


@contextmanager
def _serving(context: Context) -> Iterator[FastAPI]:
    app = _idle_endpoints.pop() if _idle_endpoints else endpoints()
    app.user_middleware.clear()
    app.middleware_stack = None
    yield serving(app, context)
    _idle_endpoints.append(app)


@contextmanager
def control_plane(
    settings: Settings, database: Database, engine: Engine | None = None
) -> Iterator[ControlPlane]:
    """Serve the API on a free port of 127.0.0.1, and take pushes in, until the block ends."""
    with ExitStack() as held:
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        settings = replace(settings, api_port=listener.getsockname()[1])
        vault = Vault.open(settings.key_file)
        source = SourceStage(settings, database, vault)
        context = Context(
            settings=settings,
            database=database,
            vault=vault,
            names=Names(database.installation().id),
            source=source,
            changes=ReleaseChanges(settings, vault),
            logs=LogReader(settings),
            engine=engine or docker.connect(),
        )
        config = uvicorn.Config(
            held.enter_context(_serving(context)),
            log_level="warning",
            timeout_graceful_shutdown=1,
            ws=cast(type[asyncio.Protocol], websocket_protocol),
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        source.start()
        thread.start()
        try:
            yield ControlPlane(context)
        finally:
            server.should_exit = True
            context.open_streams.close()
            source.stop()
            thread.join(10)
