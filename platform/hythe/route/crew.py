"""The worker processes, as the master sees them.

    master -> worker  {"type": "table", "table": {...}} | {"type": "reopen"} | {"type": "stop"}
    worker -> master  {"type": "state", "version": [E, S], "in_flight": {TARGET_ID: N, ...}}

A worker is forked with the master's table, so it never accepts before it has one. It is sent the
next table when it has applied the last; whatever changed meanwhile is skipped.
"""

import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable

from hythe import logs
from hythe.route.lines import LineSocket, LinkClosed
from hythe.route.listener import Listeners
from hythe.wire import RouteTable, Version

log = logs.get(__name__)

_SILENCE = 15.0  # a worker that says nothing for this long hangs
_CRASH_LOOP = 10.0  # a worker that lives longer is started again at once
_SHORTEST = 0.1
_LONGEST = 5.0

Work = Callable[[Listeners, socket.socket, RouteTable], None]


class Seat:
    """A worker's place: its listening sockets stay when the process in it changes."""

    def __init__(self, listeners: Listeners) -> None:
        self.listeners = listeners
        self.pid = 0
        self.link: LineSocket | None = None
        self.applied: Version = (0, 0)
        self.sent: Version = (0, 0)
        self.in_flight: dict[str, int] = {}
        self.heard_at = 0.0
        self.started_at = 0.0
        self.start_at = 0.0
        self.delay = 0.0

    def vacate(self) -> None:
        if self.link is not None:
            self.link.close()
        self.link = None
        self.pid = 0
        self.in_flight = {}


class Crew:
    """`work` runs in each child: (listeners, link, table) -> never back to the master."""

    def __init__(self, listeners: list[Listeners], work: Work) -> None:
        self.seats = [Seat(own) for own in listeners]
        self._work = work
        self._stopping = False

    # What the workers tell

    @property
    def alive(self) -> list[Seat]:
        return [seat for seat in self.seats if seat.pid]

    def applied(self, current: Version) -> Version:
        """The version that all live workers have reached."""
        return min((seat.applied for seat in self.alive), default=current)

    def in_flight(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for seat in self.seats:
            for target, count in seat.in_flight.items():
                total[target] = total.get(target, 0) + count
        return total

    # Starting and stopping

    def due(self, now: float) -> float | None:
        """In how many seconds `start` has something to do."""
        waits = [max(0.0, seat.start_at - now) for seat in self.seats if not seat.pid]
        return min(waits) if waits and not self._stopping else None

    def start(self, table: RouteTable, now: float) -> None:
        """Fill the empty seats whose time has come."""
        for seat in self.seats:
            if not seat.pid and not self._stopping and seat.start_at <= now:
                self._fork(seat, table, now)

    def _fork(self, seat: Seat, table: RouteTable, now: float) -> None:
        mine, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal to the whole group must not reach the master's wake-up socket through a child.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        pid = os.fork()
        if pid == 0:
            mine.close()
            self._become_worker(seat, theirs, table)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        seat.pid = pid
        seat.link = LineSocket(mine)
        seat.applied = seat.sent = table.version
        seat.started_at = seat.heard_at = now
        log.info("worker started", worker=pid)

    def _become_worker(self, seat: Seat, link: socket.socket, table: RouteTable) -> None:
        """Never returns. The ends of other workers' links are closed: they must see the
        master's death."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
                signal.signal(number, signal.SIG_IGN)  # a terminal sends them to all of us
            for number in (signal.SIGTERM, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            for other in self.seats:
                if other.link is not None:
                    other.link.close()
                if other is not seat:
                    for listener in other.listeners:
                        listener.close()
            self._work(seat.listeners, link, table)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def reap(self, now: float) -> None:
        """Take note of workers that have ended."""
        for seat in self.alive:
            pid, status = os.waitpid(seat.pid, os.WNOHANG)
            if not pid:
                continue
            code = os.waitstatus_to_exitcode(status)
            seat.vacate()
            if self._stopping:
                continue
            lived = now - seat.started_at
            seat.delay = min(max(seat.delay * 2, _SHORTEST), _LONGEST) if lived < _CRASH_LOOP else 0
            seat.start_at = now + seat.delay
            log.warning("worker ended", worker=pid, code=code, restarts_in=seat.delay)

    def kill_silent(self, now: float) -> None:
        for seat in self.alive:
            if now - seat.heard_at > _SILENCE:
                log.error("worker hangs", worker=seat.pid)
                os.kill(seat.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Ask all to finish what is open; nobody listens any more."""
        self._stopping = True
        for seat in self.seats:
            self._send(seat, {"type": "stop"})
            for listener in seat.listeners:
                listener.close()

    def kill(self) -> None:
        for seat in self.alive:
            os.kill(seat.pid, signal.SIGKILL)

    # Talking

    def distribute(self, table: RouteTable) -> None:
        for seat in self.alive:
            if seat.sent < table.version and seat.applied == seat.sent:
                seat.sent = table.version
                self._send(seat, {"type": "table", "table": table.to_json()})

    def reopen_logs(self) -> None:
        for seat in self.seats:
            self._send(seat, {"type": "reopen"})

    def ready(self, seat: Seat, events: int) -> bool:
        """A worker's link can be read or written; true when it told something."""
        told = False
        try:
            if seat.link is not None and events & select.POLLOUT:
                seat.link.flush()
            if seat.link is not None and events & (select.POLLIN | select.POLLHUP):
                for message in seat.link.receive():
                    epoch, sequence = message["version"]
                    seat.applied = (epoch, sequence)
                    seat.in_flight = message["in_flight"]
                    seat.heard_at = time.monotonic()
                    told = True
        except LinkClosed:
            self._unlink(seat)
        return told

    def _send(self, seat: Seat, message: dict[str, object]) -> None:
        try:
            if seat.link is not None:
                seat.link.send(message)
        except LinkClosed:
            self._unlink(seat)

    def _unlink(self, seat: Seat) -> None:
        """The process is ending; SIGCHLD says when it has."""
        if seat.link is not None:
            seat.link.close()
            seat.link = None
