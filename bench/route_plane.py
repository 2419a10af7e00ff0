"""The control plane's end of a router's link: it publishes tables, and times the acks."""

import json
import os
import socket
import threading
import time
from pathlib import Path

from hythe.wire import RouteTable, TableChange, Version

PATIENCE = 30.0


class RoutePlane:
    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.fspath(path))
        self._listener.listen(1)
        self._news = threading.Condition()
        self._acked: dict[Version, float] = {}
        self._table = RouteTable(1, 0)
        self._link: socket.socket | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        self._link, _ = self._listener.accept()
        for line in self._link.makefile("rb"):
            message = json.loads(line)
            if message["type"] == "hello":
                self._send({"type": "table", "table": self._table.to_json()})
            elif message["type"] == "report":
                with self._news:
                    epoch, sequence = message["version"]
                    self._acked.setdefault((epoch, sequence), time.monotonic())
                    self._news.notify_all()
            else:
                raise SystemExit(f"the router says {message}")

    def _send(self, message: dict[str, object]) -> None:
        assert self._link is not None
        self._link.sendall(json.dumps(message).encode() + b"\n")

    def begin(self, table: RouteTable) -> None:
        """The table that a router gets when it dials in."""
        self._table = table

    def change(self, after: RouteTable, change: TableChange) -> float:
        """Publish a change; gives the time when it was sent."""
        self._table = after
        sent = time.monotonic()
        self._send(change.to_json())
        return sent

    def acked(self, version: Version) -> float:
        """Wait until all workers have a version or a later one; gives the time of the ack."""
        with self._news:
            found = self._news.wait_for(
                lambda: next((at for v, at in self._acked.items() if v >= version), None), PATIENCE
            )
        if not found:
            raise SystemExit(f"version {version} was never acknowledged")
        return float(found)

    def close(self) -> None:
        self._listener.close()
        if self._link is not None:
            self._link.shutdown(socket.SHUT_RDWR)
