"""The master: owns the listening sockets, the table and the workers. Touches no request.

One thread, no event loop: it forks, so it stays plain.
"""

import gc
import importlib
import os
import select
import signal
import socket
import ssl
import subprocess
import time
from typing import Any

from hythe import logs
from hythe.route import (
    certificates,
    handover,
    listener,
    privileges,
    selfsigned,
    upgrade,
    window,
)
from hythe.route.accesslog import LogFile
from hythe.route.census import Census, State
from hythe.route.control import ControlLink
from hythe.route.crew import Crew
from hythe.route.gate import Meter
from hythe.route.listener import Listeners
from hythe.route.options import RouterOptions
from hythe.route.tables import Tables
from hythe.route.upgrade import Heritage, Sockets
from hythe.route.window import Window
from hythe.wire import Version

log = logs.get(__name__)

_TICK = 1.0  # reports, the table file, hanging workers, the log's size
_SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCHLD,
)
_READ = select.POLLIN
_WRITE = select.POLLOUT


def run(options: RouterOptions) -> int:
    """Run a router until it is told to stop; gives the exit code."""
    logs.configure("router")
    if options.user is not None and not privileges.exists(options.user):
        log.error("no such user", user=options.user, fix="Name one in HYTHE_ROUTER_USER.")
        return 1
    try:
        base = _base_context(options) if options.tls_port is not None else None
        if upgrade.on_trial():
            _load_worker_code()
            return 0
        heritage = upgrade.heritage()
        sockets = heritage or _open_sockets(options)
    except (listener.CannotListen, OSError) as error:
        log.error("cannot listen", reason=error, fix="Stop what uses the port, or take another.")
        return 1
    except (ValueError, ssl.SSLError) as error:
        log.error("certificate cannot be used", path=options.certificate, reason=error)
        return 1
    master = Master(options, sockets, base)
    try:
        return master.run(heritage)
    finally:
        master.close()


def _open_sockets(options: RouterOptions) -> Sockets:
    ports = [options.port] if options.tls_port is None else [options.port, options.tls_port]
    views = [window.open_path(options.stats)] if options.stats else []
    if options.metrics_port is not None:
        views.append(window.open_port(options.metrics_port))
    return Sockets(listener.open_all(options.host, ports, options.workers), views)


class Master:
    def __init__(
        self, options: RouterOptions, sockets: Sockets, base: ssl.SSLContext | None
    ) -> None:
        self._options = options
        self._base = base
        self._meter = Meter()
        self._census = Census()
        self._window = Window(sockets.views, self._census)
        self._crew = Crew(sockets.listeners, self._work, self._census.take)
        self._log_file = LogFile(options.log, options.log_size)
        self._control = (
            ControlLink(options.control, self._hello, self._hear, self._report)
            if options.control
            else None
        )
        self._tables = Tables(options, self._crew.changed, self._greet)
        self._ledger = self._tables.ledger
        self._reported: tuple[Version, dict[str, int], set[str]] | None = None
        self._tick_at = 0.0
        self._trial: subprocess.Popen[bytes] | None = None  # of a new program
        self._stop_at: float | None = None  # when what is still open is cut
        self._wake, self._waker = socket.socketpair()

    def run(self, heritage: Heritage | None = None) -> int:
        if not self._tables.begin(heritage.table if heritage else None):
            return 1
        if heritage is not None and self._ledger.version is not None:
            self._crew.adopt(heritage.workers, self._ledger.version)
        privileges.raise_file_limit()
        privileges.keep_queued_connections()
        _load_worker_code()
        self._catch_signals()
        host = self._options.host
        port, *tls = (sock.getsockname()[1] for sock in self._crew.seats[0].listeners)
        workers = len(self._crew.seats)
        log.info("listening", host=host, port=port, tls=tls[0] if tls else None, workers=workers)
        handover.ready()
        while self._stop_at is None or self._crew.members:
            self._turn()
        if self._tables.snapshot:
            self._tables.snapshot.finish()
        log.info("stopped")
        return 0

    def close(self) -> None:
        for sock in (self._wake, self._waker):
            sock.close()
        self._window.close()
        if self._control:
            self._control.close()

    def _let_go(self) -> None:
        """In a child that only looks: nobody must think that the master still lives in it."""
        for member in self._crew.members:
            member.unlink()
        self.close()

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
        if self._trial is not None:
            self._try_upgrade()
        snapshot = self._tables.snapshot
        if snapshot and snapshot.due(now) == 0:
            snapshot.begin(now)

    def _poll(self) -> list[tuple[int, int]]:
        poller = select.poll()  # few sockets: asked anew each turn, so nothing can get out of step
        poller.register(self._wake, _READ)
        links = [member.link for member in self._crew.members]
        links.append(self._control.link if self._control else None)
        for link in links:
            if link is not None:
                poller.register(link.sock, _READ | _WRITE if link.pending else _READ)
        for view in self._window.sockets if self._window.open else ():
            poller.register(view, _READ)
        return poller.poll(self._patience() * 1000)

    def _patience(self) -> float:
        now = time.monotonic()
        waits = [self._tick_at - now, self._crew.due(now) if self._ledger.version else None]
        snapshot = self._tables.snapshot
        waits.append(snapshot.due(now) if snapshot else None)
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
        else:
            for view in self._window.sockets:
                if view.fileno() == fd:
                    self._window.look(view, self._state(), self._let_go)

    def _tick(self, now: float) -> None:
        if self._tables.file and self._tables.file.changed():
            self._tables.reload()
        workers = {member.pid for member in self._crew.members}
        self._census.forget(self._ledger.routes.__contains__, self._ledger.watches, workers)
        self._crew.kill_silent(now)
        if self._log_file.rotate():
            self._crew.hand_log(self._log_file.fd)
        if self._control:
            self._control.follow()
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
            self._window.reap()
            if self._tables.snapshot:
                self._tables.snapshot.reap()
        elif number == signal.SIGHUP and self._tables.file:
            self._tables.reload()
        elif number == signal.SIGUSR2 and self._trial is None and self._stop_at is None:
            self._trial = upgrade.trial()
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

    # A new program

    def _try_upgrade(self) -> None:
        """Become the new program, if it can be loaded, and every worker stands where we do."""
        assert self._trial is not None
        code = self._trial.poll()
        if code is None:
            return
        if code != 0:
            log.error("upgrade refused, the old program stays", code=code)
        elif self._crew.settled(self._ledger.version):
            log.info("upgrading")
            if self._tables.snapshot:
                self._tables.snapshot.finish()
            try:
                upgrade.become_new(self._crew, self._window.sockets, self._ledger.document())
            except OSError as error:
                log.error("upgrade failed, the old program stays", reason=error)
        else:
            return
        self._trial = None

    # The control plane

    def _hear(self, message: dict[str, Any]) -> None:
        answer = self._tables.hear(message)
        self._crew.distribute(self._ledger)
        if answer is not None and self._control is not None:
            self._control.say(answer)

    def _greet(self) -> None:
        if self._control is not None:
            self._control.greet()

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "router": f"{socket.gethostname()}-{os.getpid()}",
            "workers": self._options.workers,
            "version": self._ledger.version,
            "changes": True,
            "activity": True,
        }

    def _report(self) -> None:
        """Tell the control plane what all workers have applied, and what is open."""
        if self._control is None or self._ledger.version is None:
            return
        version, in_flight = self._crew.applied(self._ledger.version), self._crew.in_flight()
        waiting, census = self._crew.waiting(), self._census
        if self._control.report(version, in_flight, census.watched(), waiting, census.served):
            self._reported = (version, in_flight, waiting)
            census.served.clear()

    def _report_news(self) -> None:
        """Report out of turn: a new version is applied, a retired target fell quiet, or the first
        request of a held app waits."""
        if self._control is None or self._control.link is None or not self._ledger.version:
            return
        version, in_flight = self._crew.applied(self._ledger.version), self._crew.in_flight()
        told_version, told, waited = self._reported or (None, {}, set())
        quiet = any(t not in in_flight and not self._ledger.lists(t) for t in told)
        if version != told_version or quiet or self._crew.waiting() - waited:
            self._report()

    # Workers

    def _state(self) -> State:
        version = self._ledger.version or (0, 0)
        in_flight: dict[str, int] = {}
        for target, count in self._crew.in_flight().items():
            app = self._ledger.app_of(target)
            in_flight[app] = in_flight.get(app, 0) + count
        return State(len(self._ledger), version, len(self._crew.members), in_flight)

    def _work(self, listeners: Listeners, link: socket.socket) -> None:
        """What a forked child does instead of this master's loop."""
        from hythe.route import worker

        self.close()
        worker.run(
            listeners,
            link,
            self._ledger,
            self._options,
            self._base,
            self._log_file.fd,
            self._meter,
        )


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
