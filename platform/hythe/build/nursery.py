"""The nursery: a small single-threaded process that forks the processes of builds.

A build runs in a process of its own because only a process can be killed anywhere. Starting an
interpreter and importing for each build would slow every push, and a process with threads must
not fork. So the control plane forks the nursery after its imports and before its first thread;
the nursery forks one child a build, and reports how it ended.

Messages are JSON, one a packet: {"start": ID, "request": ...}, {"kill": ID} to the nursery, and
{"ended": ID, "status": N} from it. Nobody outlives the control plane: each process asks the
kernel to kill it when its parent dies.
"""

import ctypes
import json
import os
import selectors
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hythe import logs
from hythe.build import outcome
from hythe.errors import PlatformError

PR_SET_PDEATHSIG = 1
LARGEST_MESSAGE = 128 << 10  # a packet must fit the socket's buffer
Work = Callable[[dict[str, Any]], None]

log = logs.get(__name__)


class Child:
    """A build's process, as the control plane sees it."""

    def __init__(self, nursery: "Nursery", number: int) -> None:
        self._nursery = nursery
        self._number = number
        self._ended = threading.Event()
        self.status: int | None = None  # exit code; negative: the signal that killed it

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, after at most so many seconds."""
        return self._ended.wait(seconds)

    def kill(self) -> None:
        """SIGKILL; one that has ended is left alone."""
        self._nursery.send({"kill": self._number})

    def ended(self, status: int) -> None:
        self.status = status
        self._ended.set()


class Nursery:
    """The control plane's end. Call `start` in a process without threads, once."""

    def __init__(self, pipe: socket.socket, pid: int) -> None:
        self._pipe = pipe
        self._pid = pid
        self._children: dict[int, Child] = {}
        self._lock = threading.Lock()
        self._count = 0
        self._reader: threading.Thread | None = None
        self._died: Callable[[], None] | None = None
        self._stopping = False

    @classmethod
    def start(cls, work: Work = outcome.work) -> "Nursery":
        """Fork the nursery; its children call work(request) and exit.

        A caller that froze its garbage collector's objects shares more of its memory with them.
        """
        if threading.active_count() > 1:
            raise PlatformError("The nursery must be started before any thread.")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            ours.close()
            _live(theirs, parent, work)
        theirs.close()
        return cls(ours, pid)

    def watch(self, died: Callable[[], None]) -> None:
        """Call this, in a thread, should the nursery end by itself; starts the first thread."""
        self._died = died
        with self._lock:
            self._start_reader()

    def spawn(self, request: dict[str, Any]) -> Child:
        """Start a child for a request."""
        with self._lock:
            self._start_reader()
            self._count += 1
            number = self._count
            child = self._children[number] = Child(self, number)
        self.send({"start": number, "request": request})
        return child

    def send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode()
        if len(data) > LARGEST_MESSAGE:
            raise PlatformError(
                "The build's request is too large.", "Make the app's config smaller."
            )
        try:
            self._pipe.send(data)
        except OSError:
            raise PlatformError("The build process ended.", "Restart the control plane.") from None

    def stop(self) -> None:
        """End the nursery; its children are killed."""
        self._stopping = True
        with suppress(OSError):  # it ended by itself
            self._pipe.shutdown(socket.SHUT_RDWR)  # close() alone would leave the reader waiting
        os.waitpid(self._pid, 0)
        self._pipe.close()

    def _start_reader(self) -> None:
        if self._reader is None:
            self._reader = threading.Thread(target=self._read, daemon=True, name="nursery")
            self._reader.start()

    def _read(self) -> None:
        """Hand each end of a child to its waiter."""
        while True:
            try:
                data = self._pipe.recv(LARGEST_MESSAGE)
            except OSError:
                data = b""
            if not data:
                break
            message = json.loads(data)
            with self._lock:
                child = self._children.pop(message["ended"], None)
            if child is not None:
                child.ended(message["status"])
        if not self._stopping and self._died is not None:
            log.error("the nursery of builds ended by itself")
            self._died()
        with self._lock:
            orphans, self._children = self._children, {}
        for child in orphans.values():
            child.ended(-signal.SIGKILL)


def _die_with(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _live(pipe: socket.socket, parent: int, work: Work) -> None:
    """The nursery's own life; never returns."""
    _die_with(parent)
    os.closerange(3, pipe.fileno())  # the parent's locks and sockets are not ours to hold
    os.closerange(pipe.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the control plane says when it is over
    code = 1
    try:
        _serve(pipe, work)
        code = 0
    except BaseException as error:  # nobody above would say it
        log.error("the nursery of builds broke", exc_info=error)
    finally:
        os._exit(code)


def _serve(pipe: socket.socket, work: Work) -> None:
    selector = selectors.DefaultSelector()
    selector.register(pipe, selectors.EVENT_READ)
    pids: dict[int, int] = {}  # number -> process
    while True:
        for key, _events in selector.select():
            if key.fileobj is pipe:
                data = pipe.recv(LARGEST_MESSAGE)
                if not data:
                    for pid in pids.values():
                        os.kill(pid, signal.SIGKILL)
                    return
                message = json.loads(data)
                if "start" in message:
                    number = message["start"]
                    try:
                        pids[number], fd = _fork(pipe, message["request"], work)
                    except OSError as error:  # out of memory, processes or files: for now
                        log.error("build process not started", exc_info=error)
                        _report(pipe, number, -signal.SIGKILL)
                    else:
                        selector.register(fd, selectors.EVENT_READ, number)
                elif message["kill"] in pids:
                    os.kill(pids[message["kill"]], signal.SIGKILL)
            else:
                number = key.data
                status = os.waitstatus_to_exitcode(os.waitpid(pids.pop(number), 0)[1])
                selector.unregister(key.fileobj)
                os.close(key.fd)
                _report(pipe, number, status)


def _report(pipe: socket.socket, number: int, status: int) -> None:
    pipe.send(json.dumps({"ended": number, "status": status}).encode())


def _fork(pipe: socket.socket, request: dict[str, Any], work: Work) -> tuple[int, int]:
    """A child, and a file descriptor that tells of its end. Raises OSError, and leaves no child."""
    nursery = os.getpid()
    pid = os.fork()
    if pid:
        try:
            return pid, os.pidfd_open(pid)
        except OSError:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
    _die_with(nursery)
    pipe.close()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    code = 1
    try:
        work(request)
        code = 0
    except BaseException as error:  # the child's last word; its parent sees the status only
        log.error("build process failed", exc_info=error)
    finally:
        os._exit(code)
