"""What the router's tests are made of: a real router process, raw servers, raw clients."""

import base64
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from hythe.route.options import RouterOptions, Timeouts
from hythe.wire import Route, RouteTable, Target

PLATFORM = Path(__file__).parents[3] / "platform"
PATIENCE = 15.0
HOST = "app.localhost"

_LAUNCH = (
    "import sys, base64, pickle\n"
    "from hythe.route import master\n"
    "sys.exit(master.run(pickle.loads(base64.b64decode(sys.argv[1]))))\n"
)


def until(condition: Callable[[], Any], what: str = "") -> Any:
    """Wait for something outside this process that gives no event."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < end, f"never came true: {what or condition}"
        time.sleep(0.01)
    return value


def make_table(
    targets: dict[str, int] | None = None,
    sequence: int = 1,
    *,
    epoch: int = 1,
    host: str = HOST,
    error: str = "H14",
) -> RouteTable:
    """A table with one app whose targets are {id: port}."""
    made = tuple(
        Target(name, "127.0.0.1", port, instance=f"web.{n}", release=f"v{sequence}")
        for n, (name, port) in enumerate((targets or {}).items(), 1)
    )
    return RouteTable(epoch, sequence, (Route("app", (host,), made, error),))


def write_table(path: Path, table: RouteTable) -> None:
    new = path.with_name(path.name + ".tmp")
    new.write_text(json.dumps(table.to_json()))
    new.replace(path)


class RouterProcess:
    """A master with its workers; its journal is read as events."""

    def __init__(
        self,
        options: RouterOptions,
        command: list[str] | None = None,
        environment: dict[str, str] | None = None,
        fds: tuple[int, ...] = (),
    ) -> None:
        self.options = options
        self.events: list[dict[str, Any]] = []
        self.other_output: list[str] = []
        self._news = threading.Condition()
        blob = base64.b64encode(pickle.dumps(options)).decode()
        self.process = subprocess.Popen(
            command or [sys.executable, "-c", _LAUNCH, blob],
            env={**os.environ, "PYTHONPATH": str(PLATFORM), **(environment or {})},
            pass_fds=fds,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = self.event("listening")["port"]

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            with self._news:
                if event is None:
                    self.other_output.append(line)
                else:
                    self.events.append(event)
                self._news.notify_all()

    def event(self, name: str, count: int = 1, **keys: Any) -> dict[str, Any]:
        """Wait for the count-th journal line of that name with those keys."""

        def found() -> list[dict[str, Any]]:
            return [
                event
                for event in self.events
                if event["event"] == name and all(event[k] == v for k, v in keys.items())
            ]

        with self._news:
            ok = self._news.wait_for(lambda: len(found()) >= count, PATIENCE)
            assert ok, f"no {name}: {self.events} {self.other_output}"
            return found()[count - 1]

    def workers(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def log(self) -> str:
        assert self.options.log is not None
        return self.options.log.read_text() if self.options.log.exists() else ""

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            for pid in self.workers():
                os.kill(pid, signal.SIGKILL)
            self.process.kill()
            raise
        finally:
            self._reader.join(PATIENCE)


def make_options(folder: Path, **given: Any) -> RouterOptions:
    quick = replace(Timeouts(), drain=5.0, tick=0.1)
    defaults: dict[str, Any] = {
        "port": 0,
        "workers": 1,
        "log": folder / "access.log",
        "timeouts": quick,
    }
    return RouterOptions(**{**defaults, **given})


class RawServer:
    """An app, as raw as it gets: `handle(connection, first request head)` runs in a thread."""

    def __init__(self, handle: Callable[["Wire", bytes], None]) -> None:
        self._handle = handle
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self.requests: list[bytes] = []
        self.connections = 0
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        wire = Wire(sock)
        with suppress(OSError, EOFError):
            while head := wire.head():
                self.requests.append(head)
                self._handle(wire, head)
        self._open.discard(sock)
        sock.close()

    def refuse(self) -> None:
        """Refuse connections from now on; what is open goes on."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def close(self) -> None:
        self.refuse()
        for sock in list(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class Wire:
    """A connection that is read in pieces of HTTP."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        self.sock = sock
        self._buffer = b""

    @classmethod
    def dial(cls, port: int) -> "Wire":
        return cls(socket.create_connection(("127.0.0.1", port), PATIENCE))

    def send(self, data: bytes | str) -> None:
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def head(self) -> bytes:
        """One head with its empty line; b"" at the end of the stream."""
        return self.upto(b"\r\n\r\n")

    def upto(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            data = self.sock.recv(65536)
            if not data:
                return b""
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(mark)
        return head + mark

    def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self._buffer += data
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def some(self) -> bytes:
        """What is there, or else comes next; b"" at the end of the stream."""
        data, self._buffer = self._buffer, b""
        return data or self.sock.recv(65536)

    def rest(self) -> bytes:
        """All there is until the other end closes."""
        with suppress(ConnectionResetError):
            while data := self.sock.recv(65536):
                self._buffer += data
        data, self._buffer = self._buffer, b""
        return data

    def response(self) -> tuple[int, bytes, bytes]:
        """A response with a Content-Length: status, head, body."""
        head = self.head()
        assert head, "the connection was closed without a response"
        return int(head.split()[1]), head, self.exactly(length_of(head))

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()


def length_of(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


def answering(text: str = "ok") -> Callable[[Wire, bytes], None]:
    """A handler that reads a body of known length and answers with text."""

    def handle(wire: Wire, head: bytes) -> None:
        wire.exactly(length_of(head))
        wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}")

    return handle


def sending(response: str, *, then_close: bool = False) -> Callable[[Wire, bytes], None]:
    """A handler that sends exactly these bytes."""

    def handle(wire: Wire, head: bytes) -> None:
        wire.send(response)
        if then_close:
            raise EOFError

    return handle


def get(port: int, path: str = "/", *lines: str, host: str = HOST) -> tuple[int, bytes, bytes]:
    """One GET on a connection of its own."""
    wire = Wire.dial(port)
    try:
        wire.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n" + "".join(f"{x}\r\n" for x in lines))
        wire.send("\r\n")
        return wire.response()
    finally:
        wire.close()
