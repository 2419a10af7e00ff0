"""A program's input and output over a WebSocket; see docs/adr/0026.

    client to program   binary: input. text: {"resize": [ROWS, COLUMNS]}, {"signal": "INT"},
                        {"end_input": true}
    program to client   binary: a byte, 1 for stdout or a terminal and 2 for stderr, then output.
                        text: {"taken": N}, so many more bytes of input were taken; at the end
                        {"ended": the run}

A client that sends no more than WINDOW bytes ahead of what was taken never waits for the program.
Engines block, so a session has two threads of its own while it lasts, and none when it is over.
"""

import asyncio
import json
import queue
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress

import anyio
from anyio.to_thread import run_sync
from starlette.websockets import WebSocket, WebSocketDisconnect

from hythe import logs
from hythe.engine.port import Terminal
from hythe.errors import EngineError, InvalidValue, PlatformError, Unauthorized

PROTOCOL = "hythe.terminal.v1"
WINDOW = 256 * 1024
MOST_AHEAD = 4 * WINDOW
BEAT_SECONDS = 5.0
SIGNALS = frozenset({"HUP", "INT", "QUIT", "TERM", "KILL", "USR1", "USR2", "CONT", "TSTP"})
LARGEST_SIDE = 10_000
SIZE_SECONDS = 10.0  # a program that has not started yet has no size

log = logs.get(__name__)

Item = bytes | None  # None: the input has ended


class TerminalSession:
    """One client at one program."""

    def __init__(
        self,
        websocket: WebSocket,
        terminal: Terminal,
        signal: Callable[[str], None],
        beat: Callable[[], None],
    ) -> None:
        """signal: sends SIGname. beat: called every 5 s; raises Unauthorized to end the session.

        Both block.
        """
        self._websocket = websocket
        self._terminal = terminal
        self._signal = signal
        self._beat_call = beat
        self._loop = asyncio.get_running_loop()
        self._input: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._ahead = 0  # bytes of input that the program has not taken
        self._over = asyncio.Event()
        self._closing = threading.Event()
        self._size: tuple[int, int] | None = None

    async def serve(self, size: tuple[int, int] | None) -> bool:
        """True when the program's output has ended, False when the client has left."""
        ended = False
        for target in (self._read, self._write):
            threading.Thread(target=target, name="terminal", daemon=True).start()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._beat, group.cancel_scope)
                group.start_soon(self._listen, group)
                if size is not None:
                    group.start_soon(self._resize, size)
                await self._over.wait()
                ended = True
                group.cancel_scope.cancel()
        finally:
            self._closing.set()
            self._terminal.close()
            self._input.put(None)
        return ended

    # Threads

    def _read(self) -> None:
        with suppress(WebSocketDisconnect, CancelledError, RuntimeError):  # the client has left
            while (piece := self._terminal.read())[1]:
                frame = bytes((piece[0],)) + piece[1]
                sending = self._websocket.send_bytes(frame)
                asyncio.run_coroutine_threadsafe(sending, self._loop).result()
            self._loop.call_soon_threadsafe(self._over.set)

    def _write(self) -> None:
        while not self._closing.is_set():
            data = self._input.get()
            if data is None:
                if not self._closing.is_set():
                    with suppress(EngineError):
                        self._terminal.end_input()
                return
            self._terminal.write(data)
            with suppress(RuntimeError):  # the control plane stops
                asyncio.run_coroutine_threadsafe(self._taken(len(data)), self._loop)

    # Tasks

    async def _taken(self, count: int) -> None:
        self._ahead -= count
        with suppress(WebSocketDisconnect, RuntimeError):
            await self._websocket.send_text(json.dumps({"taken": count}))

    async def _listen(self, group: anyio.abc.TaskGroup) -> None:
        try:
            while True:
                message = await self._websocket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                if data := message.get("bytes"):
                    self._ahead += len(data)
                    self._input.put(data)
                elif text := message.get("text"):
                    await self._control(text, group)
                while self._ahead > MOST_AHEAD:
                    await asyncio.sleep(0.02)
        except InvalidValue as error:
            with suppress(WebSocketDisconnect, RuntimeError):
                await self._websocket.close(1008, error.cause[:120])
        finally:
            group.cancel_scope.cancel()

    async def _control(self, text: str, group: anyio.abc.TaskGroup) -> None:
        try:
            message = json.loads(text)
        except ValueError:
            raise InvalidValue("The message is not JSON.") from None
        match message:
            case {"resize": [int(rows), int(columns)]} if _is_size(rows, columns):
                group.start_soon(self._resize, (rows, columns))
            case {"signal": str(name)} if name in SIGNALS:
                with suppress(EngineError):  # it has ended
                    await run_sync(self._signal, name)
            case {"end_input": True}:
                self._input.put(None)
            case _:
                raise InvalidValue("The message is none that a terminal knows.")

    async def _resize(self, size: tuple[int, int]) -> None:
        """Until it works or a newer size comes; a program may be about to start."""
        self._size = size
        deadline = self._loop.time() + SIZE_SECONDS
        while self._size == size and self._loop.time() < deadline:
            with suppress(EngineError):
                return await run_sync(self._terminal.resize, *size)
            await asyncio.sleep(0.01)

    async def _beat(self, scope: anyio.CancelScope) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await run_sync(self._beat_call)
            except Unauthorized:
                return scope.cancel()
            except PlatformError as error:  # the database is away: the next beat tells it
                log.info("a terminal's client was not noted", error=error.cause)


def _is_size(rows: int, columns: int) -> bool:
    return 0 < rows <= LARGEST_SIDE and 0 < columns <= LARGEST_SIDE
