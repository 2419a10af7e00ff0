"""The input and output of programs of the memory engine."""

import queue

from hythe.errors import EngineError

CLOSED = object()


class MemoryTerminal:
    """What one who attached sees. A program that echoes gives back what it reads, then exits."""

    def __init__(self, tty: bool = False, echo: bool = False) -> None:
        self.tty = tty
        self.size: tuple[int, int] | None = None
        self.running = False
        self.left = False
        self.ended_input = False
        self.written = b""
        self._echo = echo
        self._output: queue.SimpleQueue[bytes | object] = queue.SimpleQueue()

    def read(self) -> tuple[int, bytes]:
        item = self._output.get()
        if isinstance(item, bytes):
            return 1, item
        self._output.put(item)  # the end stays the end
        return 1, b""

    def write(self, data: bytes) -> None:
        self.written += data
        if self._echo and not self.left:
            self.show(data)

    def end_input(self) -> None:
        self.ended_input = True

    def resize(self, rows: int, columns: int) -> None:
        if not self.running:
            raise EngineError("The program does not run.")
        self.size = (rows, columns)

    def close(self) -> None:
        self.left = True
        self._output.put(CLOSED)

    def show(self, data: bytes) -> None:
        """The program prints."""
        if data:
            self._output.put(data)

    def end(self) -> None:
        """The program has ended."""
        self.running = False
        self._output.put(CLOSED)
