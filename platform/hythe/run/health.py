"""Readiness of web instances: one complete HTTP response below 500.

A TCP check would promote dead releases, since gunicorn listens before its workers have imported the
app.
"""

import http.client
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

SHORT_PAUSE = 0.01  # while an app usually boots; a push waits for it
LONG_PAUSE = 0.25
SHORT_SECONDS = 3.0
READ_TIMEOUT = 15.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The last thing that an instance said."""

    status: int | None  # of the response, None when there was none
    said: str  # "answered 200 on /", "refuses connections on port 5000"

    @property
    def ready(self) -> bool:
        return self.status is not None and self.status < 500


class Prober:
    """Asks starting instances, each in a thread of its own, until they are ready or forgotten."""

    def __init__(self, ring: Callable[[int], None]) -> None:
        self._ring = ring  # called with the app's id when an instance gets ready
        self._lock = threading.Lock()
        self._watched: dict[int, threading.Event] = {}
        self._answers: dict[int, Answer] = {}

    def watch(
        self, app_id: int, instance_id: int, address: str, port: int, host: str, path: str = "/"
    ) -> None:
        """Start asking, unless that is under way."""
        with self._lock:
            if instance_id in self._watched:
                return
            stop = threading.Event()
            self._watched[instance_id] = stop
        threading.Thread(
            target=self._ask_until_ready,
            args=(app_id, instance_id, address, port, host, path, stop),
            name=f"health-{instance_id}",
            daemon=True,
        ).start()

    def forget(self, instance_id: int) -> None:
        """Stop asking, and forget what was answered."""
        with self._lock:
            stop = self._watched.pop(instance_id, None)
            self._answers.pop(instance_id, None)
        if stop is not None:
            stop.set()

    def answers(self, instance_ids: Iterable[int]) -> dict[int, Answer]:
        with self._lock:
            return {i: self._answers[i] for i in instance_ids if i in self._answers}

    def _ask_until_ready(
        self,
        app_id: int,
        instance_id: int,
        address: str,
        port: int,
        host: str,
        path: str,
        stop: threading.Event,
    ) -> None:
        began = time.monotonic()
        while not stop.is_set():
            asked = time.monotonic()
            answer = ask(address, port, host, path)
            with self._lock:
                if stop.is_set():
                    return
                self._answers[instance_id] = answer
            if answer.ready:
                self._ring(app_id)
                return
            pause = SHORT_PAUSE if asked - began < SHORT_SECONDS else LONG_PAUSE
            # An answer that took long says that the app is busy: give it as long to recover.
            stop.wait(max(pause, min(time.monotonic() - asked, 1.0)))


def ask(address: str, port: int, host: str, path: str = "/") -> Answer:
    """One GET, read to its end."""
    connection = http.client.HTTPConnection(address, port, timeout=READ_TIMEOUT)
    try:
        connection.request(
            "GET", path, headers={"Host": host, "User-Agent": "hythe-health", "Accept": "*/*"}
        )
        response = connection.getresponse()
        end = time.monotonic() + READ_TIMEOUT
        while response.read1(65536):
            if time.monotonic() > end:
                return Answer(None, f"did not end its answer on {path} in {READ_TIMEOUT:.0f} s")
        if response.length:  # what its Content-Length promised and it did not send
            raise http.client.IncompleteRead(b"", response.length)
        return Answer(response.status, f"answered {response.status} on {path}")
    except TimeoutError:
        return Answer(None, f"gave no answer on {path} within {READ_TIMEOUT:.0f} s")
    except ConnectionRefusedError:
        return Answer(None, f"refuses connections on port {port}")
    except (OSError, http.client.HTTPException) as error:
        return Answer(None, f"gave no valid answer on {path} ({error or type(error).__name__})")
    finally:
        connection.close()
