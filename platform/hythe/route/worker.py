"""A worker process: accepts connections, proxies them, and tells the master how it stands."""

import asyncio
import contextlib
import json
import signal
import socket
import ssl
from functools import partial
from typing import Any

import uvloop

from hythe import logs
from hythe.route.accesslog import AccessLog
from hythe.route.certificates import Certificates
from hythe.route.client import Client
from hythe.route.lines import split
from hythe.route.listener import BACKLOG, Listeners
from hythe.route.options import RouterOptions
from hythe.route.proxy import Proxy
from hythe.route.table import LiveTable
from hythe.route.tls import TlsConnection
from hythe.wire import RouteTable

log = logs.get(__name__)

_STATE_SECONDS = 1.0


def run(
    listeners: Listeners,
    link: socket.socket,
    table: RouteTable,
    options: RouterOptions,
    base: ssl.SSLContext | None,
) -> None:
    """Serve until the master says stop, or is gone. `base` is for TLS, see certificates.py."""
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(Worker(loop, options, table, base).serve(listeners, link))
    loop.close()


class Worker:
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: RouterOptions,
        table: RouteTable,
        base: ssl.SSLContext | None,
    ) -> None:
        self._loop = loop
        self._drain = options.timeouts.drain
        self._log = AccessLog(options.log, loop)
        self._table = LiveTable(self._on_quiet)
        self._proxy = Proxy(loop, options, self._table, self._log)
        if base is not None:
            self._proxy.certificates = Certificates(base)
        self._swap(table)
        self._link: asyncio.Transport | None = None
        self._stop = asyncio.Event()
        self._state_due = False

    def _swap(self, table: RouteTable) -> None:
        self._table.swap(table)
        if self._proxy.certificates is not None:
            self._proxy.certificates.use(table)

    async def serve(self, listeners: Listeners, link: socket.socket) -> None:
        self._loop.set_exception_handler(_log_failure)
        self._loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        self._link, _ = await self._loop.create_connection(lambda: MasterLink(self), sock=link)
        kinds = (Client, TlsConnection)
        servers = [
            await self._loop.create_server(partial(kind, self._proxy), sock=sock, backlog=BACKLOG)
            for kind, sock in zip(kinds, listeners, strict=False)
        ]
        self._tell()
        await self._stop.wait()
        for server in servers:
            server.close()
        self._proxy.drain()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._proxy.empty.wait(), self._drain)
        self._log.close()

    # What the master says

    def on_message(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "table":
            self._swap(RouteTable.from_json(message["table"]))
            self._proxy.part_tunnels()
            self._send_state()
        elif kind == "reopen":
            self._log.reopen()
        elif kind == "stop":
            self._stop.set()

    def on_master_gone(self) -> None:
        self._stop.set()

    # What the master is told

    def _tell(self) -> None:
        self._send_state()
        self._loop.call_later(_STATE_SECONDS, self._tell)

    def _on_quiet(self) -> None:
        if not self._state_due:
            self._state_due = True
            self._loop.call_soon(self._send_state)

    def _send_state(self) -> None:
        self._state_due = False
        if self._link is None or self._link.is_closing():
            return
        state = {
            "type": "state",
            "version": self._table.version,
            "in_flight": self._table.in_flight(),
        }
        self._link.write(json.dumps(state).encode() + b"\n")


class MasterLink(asyncio.Protocol):
    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        for message in split(self._buffer, data):
            self._worker.on_message(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._worker.on_master_gone()


def _log_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log.error(
        "failure in the event loop",
        message=context.get("message"),
        error=repr(context.get("exception")),
    )
