"""A client that asks at a steady rate and remembers every answer that was not a 200."""

import threading
import time
from collections.abc import Callable

from bench.installation import Answer


class Load:
    """Ask `get` so many times a second in the background, until the block ends."""

    def __init__(self, get: Callable[[], Answer], rate: int = 50, clients: int = 4) -> None:
        self._get = get
        self._pause = clients / rate
        self._clients = clients
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.answered = 0
        self.failures: list[str] = []

    def __enter__(self) -> "Load":
        self._threads = [threading.Thread(target=self._ask) for _ in range(self._clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def _ask(self) -> None:
        due = time.monotonic()
        while not self._over.is_set():
            due += self._pause
            failure = self._once()
            with self._lock:
                self.answered += 1
                if failure:
                    self.failures.append(failure)
            self._over.wait(max(0.0, due - time.monotonic()))

    def _once(self) -> str | None:
        try:
            answer = self._get()
        except OSError as error:
            return repr(error)
        return None if answer.status == 200 else f"{answer.status} {answer.text[:200]}"
