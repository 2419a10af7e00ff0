"""Runs the client in a process of its own, and waits for what it reports."""

import os
import queue
import subprocess
import sys
import threading
from types import TracebackType

from bench.installation import ROOT, Installation


class Observer:
    """Asks an app at a fixed rate between `with` and its end; counts what failed."""

    def __init__(self, installation: Installation, app: str, rate: float) -> None:
        self.failures: list[str] = []
        self.asked = 0
        self._bodies: queue.Queue[tuple[float, str]] = queue.Queue()
        self._command = [
            *(sys.executable, "-m", "bench.client"),
            *(str(installation.http_port), f"{app}.localhost", str(rate)),
        ]

    def __enter__(self) -> "Observer":
        self._process = subprocess.Popen(
            self._command,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.next_body()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._reader.join(timeout=60)
        self._process.wait(timeout=10)

    def next_body(self, seconds: float = 120) -> float:
        """Wait for a body that was never seen before; returns its time on the monotonic clock."""
        return self._bodies.get(timeout=seconds)[0]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            what, at, text = line.rstrip("\n").split(" ", 2)
            if what == "seen":
                self._bodies.put((float(at), text))
            elif what == "failed":
                self.failures.append(text)
            else:
                self.asked = int(text)
