"""The master: owns the listening sockets, the table and the workers. Touches no request.

One thread, no event loop: it forks, so it stays plain.
"""

import gc
import importlib
import os
import resource
import select
import signal
import socket
import ssl
import time
from typing import Any

from hythe import logs
from hythe.route import certificates, listener, selfsigned
from hythe.route.accesslog import LogFile
from hythe.route.control import ControlLink
from hythe.route.crew import Crew
from hythe.route.gate import Meter
from hythe.route.ledger import Ledger
from hythe.route.listener import Listeners
from hythe.route.options import RouterOptions
from hythe.route.snapshot import Snapshot
from hythe.route.tablefile import TableFile
from hythe.wire import BadTable, RouteTable, TableChange, Version

log = logs.get(__name__)

_TICK = 1.0  # reports, the table file, hanging workers, the log's size
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD)
_READ = select.POLLIN
_WRITE = select.POLLOUT


def run(options: RouterOptions) -> int:
    """Run a router until it is told to stop; gives the exit code."""
    logs.configure("router")
    try:
        ports = [options.port] if options.tls_port is None else [options.port, options.tls_port]
        listeners = listener.open_all(options.host, ports, options.workers)
        base = _base_context(options) if options.tls_port is not None else None
    except (listener.CannotListen, OSError) as error:
        log.error("cannot listen", reason=error, fix="Stop what uses the port, or take another.")
        return 1
    except (ValueError, ssl.SSLError) as error:
        log.error("certificate cannot be used", path=options.certificate, reason=error)
        return 1
    master = Master(options, listeners, base)
    try:
        return master.run()
    finally:
        master.close()


class Master:
    def __init__(
        self, options: RouterOptions, listeners: list[Listeners], base: ssl.SSLContext | None
    ) -> None:
        self._options = options
        self._base = base
        self._ledger = Ledger()
        self._meter = Meter()
        self._crew = Crew(listeners, self._work, self._on_counts)
        self._file = TableFile(options.table) if options.table else None
        self._snapshot = Snapshot(options.snapshot) if options.snapshot else None
        self._log_file = LogFile(options.log, options.log_size)
        self._control = (
            ControlLink(options.control, self._hello, self._on_message, self._report)
            if options.control
            else None
        )
        self._reported: tuple[Version, dict[str, int]] | None = None
        self._tick_at = 0.0
        self._stop_at: float | None = None  # when what is still open is cut
        self._wake, self._waker = socket.socketpair()

    def run(self) -> int:
        if not self._load_first():
            return 1
        _raise_file_limit()
        _load_worker_code()
        self._catch_signals()
        host = self._options.host
        port, *tls = (sock.getsockname()[1] for sock in self._crew.seats[0].listeners)
        workers = len(self._crew.seats)
        log.info("listening", host=host, port=port, tls=tls[0] if tls else None, workers=workers)
        while self._stop_at is None or self._crew.members:
            self._turn()
        if self._snapshot:
            self._snapshot.save(time.monotonic())
        log.info("stopped")
        return 0

    def close(self) -> None:
        for sock in (self._wake, self._waker):
            sock.close()
        if self._control:
            self._control.close()

    # One turn of the loop

    def _turn(self) -> None:
        for fd, events in self._poll():
            self._dispatch(fd, events)
        now = time.monotonic()
        if self._stop_at is not None and now >= self._stop_at:
            self._crew.kill()
        if now >= self._tick_at:
            self._tick_at = now + _TICK
            self._tick(now)
        if self._control and self._stop_at is None and self._control.due(now) == 0:
            self._control.dial()
        if self._ledger.version is not None:
            self._crew.start(self._ledger.version, now)
            self._crew.distribute(self._ledger)
            self._report_news()
        if self._snapshot and self._snapshot.due(now) == 0:
            self._snapshot.save(now)

    def _poll(self) -> list[tuple[int, int]]:
        poller = select.poll()  # few sockets: asked anew each turn, so nothing can get out of step
        poller.register(self._wake, _READ)
        links = [member.link for member in self._crew.members]
        links.append(self._control.link if self._control else None)
        for link in links:
            if link is not None:
                poller.register(link.sock, _READ | _WRITE if link.pending else _READ)
        return poller.poll(self._patience() * 1000)

    def _patience(self) -> float:
        now = time.monotonic()
        waits = [self._tick_at - now, self._crew.due(now) if self._ledger.version else None]
        waits.append(self._snapshot.due(now) if self._snapshot else None)
        if self._stop_at is not None:
            waits.append(self._stop_at - now)
        elif self._control:
            waits.append(self._control.due(now))
        return max(0.0, min(wait for wait in waits if wait is not None)) + 0.001

    def _dispatch(self, fd: int, events: int) -> None:
        if fd == self._wake.fileno():
            for number in self._wake.recv(64):
                self._on_signal(number)
            return
        control = self._control
        if control and control.link and control.link.sock.fileno() == fd:
            control.ready(events)
        elif member := self._crew.member_of(fd):
            self._crew.ready(member, events)

    def _tick(self, now: float) -> None:
        if self._file and self._file.changed():
            self._reload()
        self._crew.kill_silent(now)
        if self._log_file.rotate():
            self._crew.hand_log(self._log_file.fd)
        self._report()

    # Signals

    def _catch_signals(self) -> None:
        for sock in (self._wake, self._waker):
            sock.setblocking(False)
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)  # the wake-up socket carries the number
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._crew.reap(time.monotonic())
        elif number == signal.SIGHUP and self._file:
            self._reload()
        elif number == signal.SIGUSR1:
            if self._log_file.reopen():
                self._crew.hand_log(self._log_file.fd)
        elif number in (signal.SIGTERM, signal.SIGINT):
            self._stop()

    def _stop(self) -> None:
        if self._stop_at is not None:  # asked twice
            self._stop_at = time.monotonic()
            return
        log.info("stopping", drain=self._options.timeouts.drain)
        self._stop_at = time.monotonic() + self._options.timeouts.drain + 1.0
        self._crew.stop()
        if self._control:
            self._control.close()

    # Tables

    def _load_first(self) -> bool:
        """The table to begin with, if there is one; false when the given file is no table."""
        table = self._snapshot.load() if self._snapshot else None
        if self._file:
            try:
                table = self._file.read(table)
            except BadTable as error:
                log.error("table cannot be used", reason=error)
                return False
        if table is not None:
            self._install(table)
        else:
            log.info("waiting for a table")
        return True

    def _reload(self) -> None:
        assert self._file is not None
        try:
            self._offer(self._file.read(self._ledger.table))
        except BadTable as error:
            log.error("table refused, the old one stays", reason=error)

    def _on_message(self, message: dict[str, Any]) -> None:
        """What the control plane says. A bad table is refused whole, and it is told why."""
        try:
            if message.get("type") == "table":
                self._offer(RouteTable.from_json(message.get("table")))
            elif message.get("type") == "change":
                self._change(TableChange.from_json(message))
        except BadTable as error:
            log.error("table refused, the old one stays", reason=error)
            if self._control:
                refused = {"type": "refused", "version": self._ledger.version}
                self._control.say({**refused, "reason": str(error)})

    def _offer(self, table: RouteTable) -> None:
        """Take a table if it is newer. Versions are ordered as pairs: of another epoch, only a
        higher one counts, so an old database that was brought back cannot undo routes unseen."""
        current = self._ledger.version
        if current is not None and table.version <= current:
            if table.version != current:
                log.warning("older table refused", offered=table.version, has=current)
            return
        self._install(table)
        self._keep()

    def _change(self, change: TableChange) -> None:
        current = self._ledger.version
        if current is not None and change.version <= current:
            log.warning("older table refused", offered=change.version, has=current)
        elif change.after != current:
            assert self._control is not None
            self._control.greet()  # something was missed
        else:
            self._crew.changed(self._ledger.change(change))
            self._keep()

    def _install(self, table: RouteTable) -> None:
        self._crew.changed(self._ledger.install(table))
        log.info("table", version=table.version, routes=len(table.routes))

    def _keep(self) -> None:
        self._crew.distribute(self._ledger)
        if self._snapshot:
            self._snapshot.put(self._ledger.document)

    # Reports

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "router": f"{socket.gethostname()}-{os.getpid()}",
            "workers": self._options.workers,
            "version": self._ledger.version,
            "changes": True,
        }

    def _report(self) -> None:
        """Tell the control plane what all workers have applied, and what is open."""
        if self._control is None or self._ledger.version is None:
            return
        state = (self._crew.applied(self._ledger.version), self._crew.in_flight())
        if self._control.report(*state):
            self._reported = state

    def _report_news(self) -> None:
        """Report out of turn: a new version is applied, or a retired target fell quiet."""
        if self._control is None or self._control.link is None or not self._ledger.version:
            return
        version, in_flight = self._crew.applied(self._ledger.version), self._crew.in_flight()
        told_version, told = self._reported or (None, {})
        quiet = any(t not in in_flight and not self._ledger.lists(t) for t in told)
        if version != told_version or quiet:
            self._report()

    # Workers

    def _on_counts(self, worker: int, counts: dict[str, Any]) -> None:
        pass

    def _work(self, listeners: Listeners, link: socket.socket) -> None:
        """What a forked child does instead of this master's loop."""
        from hythe.route import worker

        self.close()
        fd = self._log_file.fd
        worker.run(listeners, link, self._ledger, self._options, fd, self._meter, self._base)


def _base_context(options: RouterOptions) -> ssl.SSLContext:
    """Made before the workers are forked, see certificates.py."""
    path = options.certificate
    pem = path.read_bytes() if path is not None else selfsigned.make()
    return certificates.base_context(pem)


def _load_worker_code() -> None:
    """Import what workers run, once, and keep the collector off it: forked memory stays shared."""
    importlib.import_module("hythe.route.worker")
    gc.collect()
    gc.freeze()


def _raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
