"""The user's terminal, or pipes, at a program that runs elsewhere.

The wire is that of hythe.api.terminal. Everything happens in one thread: signals wake it by a pipe.
"""

import json
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

from hythe.cli import answers
from hythe.cli.failure import Away

if TYPE_CHECKING:
    from hythe.cli.websocket import WebSocket

WINDOW = 256 * 1024  # bytes of input on their way; as much as the server takes without waiting
BLOCK = 32 * 1024
STDIN = 0
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def size() -> tuple[int, int]:
    """Rows and columns of the terminal itself, whatever COLUMNS and LINES say."""
    found = os.get_terminal_size(STDIN)
    return found.lines, found.columns


class Attached:
    """One session: `run` returns the run as it ended."""

    def __init__(self, websocket: "WebSocket", tty: bool) -> None:
        self._websocket = websocket
        self._tty = tty
        self._room = WINDOW
        self._reading = _is_open(STDIN)  # and has not ended
        self._ended: answers.Run | None = None
        self._interrupted = False

    def run(self) -> answers.Run:
        """Raises Away when the connection breaks, KeyboardInterrupt at the second Ctrl-C."""
        if not self._reading:
            self._say(end_input=True)
        with _signals(self._tty) as woken, _raw(self._tty):
            try:
                while self._ended is None and not self._websocket.closed:
                    self._wait(woken)
            except OSError as error:
                if isinstance(error, BrokenPipeError) and error.filename is not None:
                    raise
                raise self._broken() from None
            finally:
                self._websocket.close()
        if self._ended is None:
            raise self._broken()
        return self._ended

    def _wait(self, woken: int) -> None:
        """Handle whatever comes next."""
        sources: list[Any] = [woken, self._websocket]
        if self._reading and self._room > 0:
            sources.append(STDIN)
        timeout = 0 if self._websocket.waiting else None
        ready = select.select(sources, [], [], timeout)[0]
        if woken in ready:
            for number in os.read(woken, 64):
                self._signal(signal.Signals(number))
        if self._websocket in ready or self._websocket.waiting:
            for message in self._websocket.receive():
                self._message(message)
        if STDIN in ready:
            self._input()

    def _message(self, message: bytes | str) -> None:
        if isinstance(message, bytes):
            _write(2 if message[:1] == b"\2" else 1, message[1:])
            return
        said = json.loads(message)
        self._room += said.get("taken", 0)
        if "ended" in said:
            self._ended = cast(answers.Run, said["ended"])

    def _input(self) -> None:
        data = os.read(STDIN, min(BLOCK, self._room))
        if data:
            self._room -= len(data)
            self._websocket.send(data)
        else:
            self._reading = False
            self._say(end_input=True)

    def _signal(self, number: signal.Signals) -> None:
        if number == signal.SIGWINCH:
            self._say(resize=size())
            return
        if number == signal.SIGINT:
            if self._interrupted:  # the program does not listen: leave, which ends it
                raise KeyboardInterrupt
            self._interrupted = True
        self._say(signal=number.name.removeprefix("SIG"))

    def _say(self, **message: Any) -> None:
        self._websocket.send(json.dumps(message))

    def _broken(self) -> Away:
        return Away(
            "The connection broke off, and the run was ended.",
            "Use `hythe run:detached` for what should outlive it.",
        )


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _write(number: int, data: bytes) -> None:
    """To standard output or error, at once; raises BrokenPipeError with a filename."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(number, view) :]
        except BlockingIOError:  # somebody made it so; wait for room
            select.select([], [number], [])
        except BrokenPipeError as error:
            error.filename = "standard output"
            raise


@contextmanager
def _signals(tty: bool) -> Iterator[int]:
    """A file that holds the number of each signal that came and is to be passed on.

    A raw terminal makes characters of Ctrl-C and its like; only its size is a signal there.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    wanted = (signal.SIGWINCH,) if tty else FORWARDED

    def note(_number: int, _frame: FrameType | None) -> None:
        """The number is in the pipe already."""

    before = {number: signal.signal(number, note) for number in wanted}
    woken_before = signal.set_wakeup_fd(writer)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(woken_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


@contextmanager
def _raw(tty: bool) -> Iterator[None]:
    """The terminal as a wire: each key goes to the program, which echoes it."""
    if not tty:
        yield
        return
    import termios
    import tty as terminals

    before = termios.tcgetattr(STDIN)
    sys.stdout.flush()
    terminals.setraw(STDIN)
    try:
        yield
    finally:
        termios.tcsetattr(STDIN, termios.TCSADRAIN, before)
