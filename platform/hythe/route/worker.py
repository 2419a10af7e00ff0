"""A worker process: accepts connections, proxies them, and tells the master how it stands."""

import asyncio
import contextlib
import gc
import json
import signal
import socket
import ssl
from collections.abc import Sequence
from functools import partial
from typing import Any

import uvloop

from hythe import logs
from hythe.route import privileges
from hythe.route.accesslog import AccessLog
from hythe.route.certificates import Certificates
from hythe.route.client import Client
from hythe.route.gate import Meter
from hythe.route.ledger import Ledger
from hythe.route.lines import LineSocket, LinkClosed
from hythe.route.listener import BACKLOG, Listeners
from hythe.route.options import RouterOptions
from hythe.route.proxy import Proxy
from hythe.route.rules import RuleBook
from hythe.route.table import LiveTable
from hythe.route.tls import TlsConnection
from hythe.wire import Route, TableChange, Version

log = logs.get(__name__)

_STATE_SECONDS = 1.0


def run(
    listeners: Listeners,
    link: socket.socket,
    ledger: Ledger,
    options: RouterOptions,
    base: ssl.SSLContext | None,
    log_fd: int,
    meter: Meter,
) -> None:
    """Serve until the master says stop, or is gone. `base` is for TLS, see certificates.py."""
    privileges.become(options.user)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = Worker(loop, options, LineSocket(link), base, log_fd, meter)
    worker.begin_with(ledger)
    loop.run_until_complete(worker.serve(listeners))
    loop.close()


class Worker:
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: RouterOptions,
        link: LineSocket,
        base: ssl.SSLContext | None,
        log_fd: int,
        meter: Meter,
    ) -> None:
        self._loop = loop
        self._drain = options.timeouts.drain
        self._link = link
        self._log = AccessLog(log_fd, loop, options.log_sample, options.log_json)
        self._table = LiveTable(RuleBook(options), self._on_news)
        self._proxy = Proxy(loop, options, self._table, self._log, meter)
        if base is not None:
            self._proxy.certificates = Certificates(base)
        self._stop = asyncio.Event()
        self._state_due = False

    def begin_with(self, ledger: Ledger) -> None:
        assert ledger.version is not None
        self._apply(ledger.version, list(ledger.routes.values()), ())
        gc.collect()
        gc.freeze()  # routes stay: a collection need not walk through thousands of them

    def _apply(self, version: Version, routes: Sequence[Route], gone: Sequence[str]) -> None:
        self._table.apply(version, routes, gone)
        if self._proxy.certificates is not None:
            self._proxy.certificates.change(routes, gone)

    async def serve(self, listeners: Listeners) -> None:
        loop = self._loop
        loop.set_exception_handler(_log_failure)
        if len(listeners) > 1:
            self._proxy.https_port = listeners[1].getsockname()[1]
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_reader(self._link.sock, self._read)
        kinds = (Client, TlsConnection)
        servers = [
            await loop.create_server(partial(kind, self._proxy), sock=sock, backlog=BACKLOG)
            for kind, sock in zip(kinds, listeners, strict=False)
        ]
        self._tell()
        await self._stop.wait()
        for server in servers:
            server.close()
        self._proxy.drain()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._proxy.empty.wait(), self._drain)
        self._log.flush()
        self._send_counts()

    # What the master says

    def _read(self) -> None:
        try:
            for message in self._link.receive():
                self._on_message(message)
        except LinkClosed:
            self._part()

    def _on_message(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "change":
            change = TableChange.from_json(message)
            self._apply(change.version, change.routes, change.gone)
            self._proxy.part_tunnels()
            self._send_state()
        elif kind == "log":
            self._log.go_on_in(self._link.files.popleft())
        elif kind == "stop":
            self._stop.set()

    def _part(self) -> None:
        """The master is gone."""
        self._loop.remove_reader(self._link.sock)
        self._loop.remove_writer(self._link.sock)
        self._stop.set()

    # What the master is told

    def _tell(self) -> None:
        self._send_state()
        self._send_counts()
        self._loop.call_later(_STATE_SECONDS, self._tell)

    def _on_news(self) -> None:
        if not self._state_due:
            self._state_due = True
            self._loop.call_soon(self._send_state)

    def _send_state(self) -> None:
        self._state_due = False
        if self._table.watches:
            self._send_counts()  # first: who waits for the state reads the counts then
        version, in_flight = self._table.version, self._table.in_flight()
        waiting = self._table.waiting()
        state = {"type": "state", "version": version, "in_flight": in_flight, "waiting": waiting}
        self._send(state)

    def _send_counts(self) -> None:
        self._send({"type": "counts", **self._proxy.counts()})

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._link.send_text(json.dumps(message))
            if self._link.pending:
                self._loop.add_writer(self._link.sock, self._flush)
        except LinkClosed:
            self._part()

    def _flush(self) -> None:
        try:
            self._link.flush()
        except LinkClosed:
            self._part()
            return
        if not self._link.pending:
            self._loop.remove_writer(self._link.sock)


def _log_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log.error(
        "failure in the event loop",
        message=context.get("message"),
        error=repr(context.get("exception")),
    )
