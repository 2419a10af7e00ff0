"""The worker processes, as the master sees them.

    master -> worker  {"type": "change", ...} as in wire.py | {"type": "stop"}
                      {"type": "log"}, with an open file
    worker -> master  {"type": "state", "version": [E, S], "in_flight": {TARGET_ID: N, ...},
                       "waiting": [APP, ...]}
                      {"type": "counts", "apps": {APP: {...}}, "watched": {...}, "clients": N,
                        "held": N}

A worker is forked with the master's table, so it never accepts before it has one. It is sent the
next change when it has applied the last; what came meanwhile is joined to one.
"""

import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from hythe import logs
from hythe.route.ledger import Ledger
from hythe.route.lines import LineSocket, LinkClosed
from hythe.route.listener import Listeners
from hythe.wire import Version

log = logs.get(__name__)

_SILENCE = 15.0  # a worker that says nothing for this long hangs
_CRASH_LOOP = 10.0  # a worker that lives longer is started again at once
_SHORTEST = 0.1
_LONGEST = 5.0

Work = Callable[[Listeners, socket.socket], None]


class Member:
    """A worker process."""

    def __init__(self, pid: int, link: socket.socket, version: Version) -> None:
        now = time.monotonic()
        self.pid = pid
        self.link: LineSocket | None = LineSocket(link)
        self.sent = version
        self.applied = version
        self.unsent: set[str] = set()  # apps that changed since the last change was sent
        self.in_flight: dict[str, int] = {}
        self.waiting: list[str] = []
        self.started_at = now
        self.heard_at = now
        self.told = False  # it accepts connections

    def send(self, message: str, files: Iterable[int] = ()) -> None:
        try:
            if self.link is not None:
                self.link.send_text(message, files)
        except LinkClosed:
            self.unlink()

    def unlink(self) -> None:
        """The process is ending; SIGCHLD says when it has."""
        if self.link is not None:
            self.link.close()
            self.link = None


class Seat:
    """A worker's place: its listening sockets stay when the process in it changes."""

    def __init__(self, listeners: Listeners) -> None:
        self.listeners = listeners
        self.member: Member | None = None
        self.start_at = 0.0
        self.delay = 0.0


class Crew:
    """`work` runs in each child: (listeners, link) -> never back to the master. `counts` gets what
    workers have counted."""

    def __init__(
        self, listeners: Iterable[Listeners], work: Work, counts: Callable[[int, Any], None]
    ) -> None:
        self.seats = [Seat(own) for own in listeners]
        self.leaving: list[Member] = []  # they finish what they have, and accept nothing
        self._work = work
        self._counts = counts
        self._stopping = False

    # What the workers tell

    @property
    def members(self) -> list[Member]:
        return [seat.member for seat in self.seats if seat.member] + self.leaving

    def applied(self, current: Version) -> Version:
        """The version that all live workers have reached."""
        return min((member.applied for member in self.members), default=current)

    def in_flight(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for member in self.members:
            for target, count in member.in_flight.items():
                total[target] = total.get(target, 0) + count
        return total

    def waiting(self) -> set[str]:
        """The apps of which requests are held."""
        return {app for member in self.members for app in member.waiting}

    # Starting and stopping

    def due(self, now: float) -> float | None:
        """In how many seconds `start` has something to do."""
        waits = [max(0.0, seat.start_at - now) for seat in self.seats if not seat.member]
        return min(waits) if waits and not self._stopping else None

    def start(self, version: Version, now: float) -> None:
        """Fill the empty seats whose time has come."""
        for seat in self.seats:
            if seat.member is None and not self._stopping and seat.start_at <= now:
                self._fork(seat, version)

    def _fork(self, seat: Seat, version: Version) -> None:
        mine, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal to the whole group must not reach the master's wake-up socket through a child.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        pid = os.fork()
        if pid == 0:
            mine.close()
            self._become_worker(seat, theirs)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        seat.member = Member(pid, mine, version)
        log.info("worker started", worker=pid)

    def _become_worker(self, seat: Seat, link: socket.socket) -> None:
        """Never returns. The ends of other workers' links are closed: they must see the
        master's death."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
                signal.signal(number, signal.SIG_IGN)  # a terminal sends them to all of us
            for number in (signal.SIGTERM, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            for member in self.members:
                member.unlink()
            for other in self.seats:
                if other is not seat:
                    for listener in other.listeners:
                        listener.close()
            self._work(seat.listeners, link)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def reap(self, now: float) -> None:
        """Take note of workers that have ended."""
        for member in self.leaving.copy():
            if os.waitpid(member.pid, os.WNOHANG)[0]:
                member.unlink()
                self.leaving.remove(member)
                log.info("old worker ended", worker=member.pid)
        for seat in self.seats:
            if seat.member is not None:
                self._reap(seat, seat.member, now)

    def _reap(self, seat: Seat, member: Member, now: float) -> None:
        pid, status = os.waitpid(member.pid, os.WNOHANG)
        if not pid:
            return
        member.unlink()
        seat.member = None
        if self._stopping:
            return
        lived = now - member.started_at
        seat.delay = min(max(seat.delay * 2, _SHORTEST), _LONGEST) if lived < _CRASH_LOOP else 0
        seat.start_at = now + seat.delay
        code = os.waitstatus_to_exitcode(status)
        log.warning("worker ended", worker=pid, code=code, restarts_in=seat.delay)

    def adopt(self, workers: Iterable[tuple[int, socket.socket]], version: Version) -> None:
        """Workers of the program before: they serve on until all seats are taken."""
        for pid, link in workers:
            member = Member(pid, link, version)
            member.applied = (0, 0)  # until it tells, and so says what it has in flight
            self.leaving.append(member)

    def settled(self, version: Version | None) -> bool:
        """Every worker accepts, has applied this version, and nothing is half said."""
        return all(seat.member and seat.member.told for seat in self.seats) and all(
            member.applied == version and member.link is not None and member.link.quiet
            for member in self.members
        )

    def relieve(self) -> None:
        """Send the old workers home, once the new ones all accept."""
        if self.leaving and all(seat.member and seat.member.told for seat in self.seats):
            for member in self.leaving:
                member.send('{"type":"stop"}')

    def kill_silent(self, now: float) -> None:
        for member in self.members:
            if now - member.heard_at > _SILENCE:
                log.error("worker hangs", worker=member.pid)
                os.kill(member.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Ask all to finish what is open; nobody listens any more."""
        self._stopping = True
        for member in self.members:
            member.send('{"type":"stop"}')
        for seat in self.seats:
            for listener in seat.listeners:
                listener.close()

    def kill(self) -> None:
        for member in self.members:
            os.kill(member.pid, signal.SIGKILL)

    # Talking

    def changed(self, apps: set[str]) -> None:
        for member in self.members:
            member.unsent |= apps

    def distribute(self, ledger: Ledger) -> None:
        """Bring each worker up to the ledger's version."""
        version = ledger.version
        if version is None:
            return
        for member in self.members:
            if member.sent < version and member.applied == member.sent:
                text = ledger.change_text(member.sent, member.unsent)
                member.sent = version
                member.unsent = set()
                member.send(text)

    def hand_log(self, fd: int) -> None:
        for member in self.members:
            member.send('{"type":"log"}', [fd])

    def member_of(self, fd: int) -> Member | None:
        return next((m for m in self.members if m.link and m.link.sock.fileno() == fd), None)

    def ready(self, member: Member, events: int) -> None:
        """A worker's link can be read or written."""
        try:
            if member.link is not None and events & select.POLLOUT:
                member.link.flush()
            if member.link is not None and events & (select.POLLIN | select.POLLHUP):
                for message in member.link.receive():
                    self._hear(member, message)
        except LinkClosed:
            member.unlink()

    def _hear(self, member: Member, message: dict[str, Any]) -> None:
        member.heard_at = time.monotonic()
        if message["type"] == "counts":
            self._counts(member.pid, message)
            return
        epoch, sequence = message["version"]
        member.applied = (epoch, sequence)
        member.in_flight = message["in_flight"]
        member.waiting = message.get("waiting", [])  # one of the program before tells none
        if not member.told:
            member.told = True
            self.relieve()
