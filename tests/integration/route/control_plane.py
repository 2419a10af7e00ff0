"""The control plane's end of the link, as wire.py describes it, on a real unix socket."""

import json
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from hythe.wire import RouteTable, TableChange

PATIENCE = 15.0


class ControlPlane:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.hellos: list[dict[str, Any]] = []
        self.reports: list[tuple[float, dict[str, Any]]] = []
        self.refusals: list[dict[str, Any]] = []
        self.document: Any = None
        self._news = threading.Condition()
        self._clients: list[socket.socket] = []
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(os.fspath(path))
        self._socket.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError):
            for line in sock.makefile("rb"):
                message = json.loads(line)
                with self._news:
                    if message["type"] == "hello":
                        self.hellos.append(message)
                        if sock not in self._clients:
                            self._clients.append(sock)
                        if self.document is not None:
                            self._send(sock)
                    elif message["type"] == "refused":
                        self.refusals.append(message)
                    else:
                        self.reports.append((time.monotonic(), message))
                    self._news.notify_all()

    def _send(self, sock: socket.socket) -> None:
        sock.sendall(json.dumps({"type": "table", "table": self.document}).encode() + b"\n")

    def publish(self, table: RouteTable | Any) -> None:
        with self._news:
            self.document = table.to_json() if isinstance(table, RouteTable) else table
            for sock in self._clients:
                with suppress(OSError):
                    self._send(sock)

    def change(self, before: RouteTable, after: RouteTable) -> None:
        """Say only what differs, to routers that take changes."""
        message = json.dumps(TableChange.between(before, after).to_json()).encode() + b"\n"
        with self._news:
            for sock in self._clients:
                with suppress(OSError):
                    sock.sendall(message)

    def wait(self, condition: Any, what: str) -> Any:
        with self._news:
            assert self._news.wait_for(condition, PATIENCE), f"never {what}: {self.reports[-3:]}"
            return condition()

    def applied(self, table: RouteTable) -> dict[str, Any]:
        """Wait until the router reports that table."""

        def found() -> Any:
            wanted = list(table.version)
            return next((r for _, r in self.reports if r["version"] == wanted), None)

        return self.wait(found, f"applied {table.version}")

    def last(self) -> dict[str, Any]:
        return self.reports[-1][1] if self.reports else {"in_flight": {}, "version": None}

    def close(self) -> None:
        """Go away, as a killed control plane does."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for sock in self._clients:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self.path.unlink(missing_ok=True)
