"""A client at a one-off run: from the run that is made to the run that has ended.

The container of a run is the run stage's (run/oneoffs.py). Whoever serves the client only attaches
to it, says in the row that the client is there, and that it has left. A program in a live instance
has no container of its own, so it is started here. Any control plane may serve; the row decides
that only one does.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import anyio
from anyio.to_thread import run_sync
from starlette.websockets import WebSocket, WebSocketDisconnect

from hythe.api.context import Context
from hythe.api.terminal import PROTOCOL, TerminalSession
from hythe.engine.port import Program, Terminal
from hythe.errors import Conflict, EngineError, HytheError, TooManyTerminals
from hythe.model import App, Deployment, Release, Run, now
from hythe.run import marked
from hythe.run.oneoff_plan import reason_of
from hythe.spec import ReleaseSpec

READY_SECONDS = 60.0  # from the request to the container
ENDED_SECONDS = 15.0  # from the end of the output to the end of the run
POLL_SECONDS = 0.2  # another control plane may lead, and its commits ring no bell here
SERVICE_RESTART = 1012  # RFC 6455's registry of close codes
MOST_TERMINALS = 64
UNDER_WAY = frozenset({"queued", "ready", "running"})
TERM = {"TERM": "xterm-256color"}

_open = 0  # terminals of this process; the event loop counts


async def attach(
    websocket: WebSocket,
    context: Context,
    run_id: int,
    recheck: Callable[[], object],
    encode: Callable[[int], str],
) -> None:
    """Serve a client to the end of its run.

    encode: the run as JSON; blocks. Raises Conflict, EngineError, TooManyTerminals before the
    WebSocket is accepted.
    """
    global _open
    if _open >= MOST_TERMINALS:
        raise TooManyTerminals(f"{MOST_TERMINALS} terminals are open.")
    _open += 1
    try:
        await _leaves(context, run_id, frozenset({"queued"}), READY_SECONDS)
        attachment = await run_sync(Attachment, context, run_id)
        await attachment.serve(websocket, recheck, encode)
    finally:
        _open -= 1


async def _leaves(context: Context, run_id: int, states: frozenset[str], seconds: float) -> None:
    """Wait while it is in one of these states; after so many seconds raise EngineError."""
    deadline = time.monotonic() + seconds
    while (state := await run_sync(_state, context, run_id)) in states:
        if time.monotonic() > deadline:
            raise EngineError(f"The run is still {state} after {seconds:.0f} s.")
        await context.live.changes.wait(POLL_SECONDS)


def _state(context: Context, run_id: int) -> str:
    with context.database.read() as session:
        run = session.get(Run, run_id)
        return run.state if run is not None else "gone"


class Attachment:
    """The client of one run; made once the run is ready, which takes its place there."""

    def __init__(self, context: Context, run_id: int) -> None:
        """Blocks. Raises Conflict when the run has ended or another client was there."""
        self._context = context
        with context.database.read() as session:
            run = session.get(Run, run_id)
            app = session.get(App, run.app_id) if run is not None else None
            deployment = session.get(Deployment, run.deployment_id) if run is not None else None
            release = session.get(Release, deployment.release_id) if deployment else None
        if run is None or app is None or release is None:
            raise Conflict("The run is gone.", "Start another one.")
        self._run = run
        self._container = run.container or context.names.run(app.name, run.number, run.id)
        self._program: Program | None = None
        self._terminal: Terminal = self._exec(release) if run.kind == "exec" else self._attach()

    def _attach(self) -> Terminal:
        """The container starts once the row says that somebody is there, so nothing is missed."""
        self._check(self._run)
        terminal = self._context.engine.sessions.attach(self._container)
        try:
            self._claim("ready")
        except HytheError:
            terminal.close()
            raise
        return terminal

    def _exec(self, release: Release) -> Terminal:
        self._claim("running")
        words = (part for part in ReleaseSpec.of(release).launched(self._run.command))
        command = [word for part in words for word in part]
        env = {**marked.mark(self._run.id), **(TERM if self._run.tty else {})}
        try:
            self._program = self._context.engine.sessions.open(
                self._container, command, env=env, tty=self._run.tty
            )
        except EngineError as error:
            self._end_exec("failed", None, f"{error.cause} {error.fix}")
            raise
        return self._program

    def _claim(self, state: str) -> None:
        with self._context.database.write() as tx:
            run = tx.get_one(Run, self._run.id)
            self._check(run)
            run.state, run.seen_at = state, now()
            if state == "running":
                run.started_at = now()
            tx.poke(run.app_id)

    def _check(self, run: Run) -> None:
        if run.state == "ended":
            raise Conflict(f"{run.name} has ended. {run.detail or ''}".strip(), "Start another.")
        if run.seen_at is not None or run.state != "ready":
            raise Conflict(f"{run.name} has a client already.", "Start a run of your own.")

    async def serve(
        self,
        websocket: WebSocket,
        recheck: Callable[[], object],
        encode: Callable[[int], str],
    ) -> None:
        ended = False
        try:
            offered = websocket.scope["subprotocols"]
            await websocket.accept(PROTOCOL if PROTOCOL in offered else None)
            session = TerminalSession(
                websocket, self._terminal, self._signal, partial(self._beat, recheck)
            )
            with anyio.CancelScope() as scope, self._context.open_streams.holding(scope):
                ended = await session.serve(self._size)
                if ended:
                    ended = await self._finish()
        except (WebSocketDisconnect, RuntimeError):
            ended = False  # it left while it was accepted
        finally:
            self._terminal.close()
            if not ended:
                with anyio.CancelScope(shield=True):
                    await run_sync(self._leave)
        with suppress(WebSocketDisconnect, RuntimeError):
            if ended:
                await websocket.send_text(await run_sync(encode, self._run.id))
            await websocket.close(1000 if ended else SERVICE_RESTART)

    @property
    def _size(self) -> tuple[int, int] | None:
        run = self._run
        return (run.rows, run.columns) if run.tty and run.rows and run.columns else None

    async def _finish(self) -> bool:
        """Wait until the row says how it ended; False when only the output broke off."""
        if self._program is not None:
            try:
                code = await run_sync(self._program.exit_code)
            except EngineError:
                return False
            await run_sync(self._end_exec, "exited", code, None)
        try:
            await _leaves(self._context, self._run.id, UNDER_WAY, ENDED_SECONDS)
        except EngineError:
            return False
        return True

    def _signal(self, name: str) -> None:
        engine = self._context.engine
        if self._program is not None:
            marked.signal(engine, self._container, self._run.id, name)
        else:
            engine.instances.kill(self._container, f"SIG{name}")

    def _beat(self, recheck: Callable[[], object]) -> None:
        recheck()
        with self._context.database.write() as tx:
            run = tx.get(Run, self._run.id)
            if run is not None and run.state != "ended":
                run.seen_at = now()

    def _leave(self) -> None:
        """Say that the client has gone; should that fail, its silence says it later."""
        with suppress(HytheError), self._context.database.write() as tx:
            run = tx.get(Run, self._run.id)
            if run is not None and run.state != "ended" and run.stop is None:
                run.stop, run.detail = "client-gone", "Its client went away."
                tx.poke(run.app_id)

    def _end_exec(self, reason: str, code: int | None, detail: str | None) -> None:
        with self._context.database.write() as tx:
            run = tx.get(Run, self._run.id)
            if run is None or run.state == "ended":
                return
            run.state, run.ended_at, run.exit_code = "ended", now(), code
            run.reason = reason_of(run) if run.stop else reason
            run.detail = run.detail if run.stop else detail
            said = detail or f"Process exited with status {code}"
            tx.note("run.end", f"{run.name}: {said}", app_id=run.app_id, run=run.number)
            tx.poke(run.app_id)
