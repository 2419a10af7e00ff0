"""Who is asked when: instances that start, until they are ready; and those that are up, for ever.

A web instance without a check of its own is ready when it gave one complete HTTP response below
500. A TCP check would promote dead releases, since gunicorn listens before its workers have
imported the app.
"""

import heapq
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hythe.healthcheck import HealthCheck
from hythe.run.probes import Answer, Probe

__all__ = ["Answer", "Life", "Prober"]

SHORT_PAUSE = 0.01  # while an app usually boots; a push waits for it
LONG_PAUSE = 0.25
SHORT_SECONDS = 3.0
PARALLEL = 8  # instances that are up, asked at the same time
USUAL = HealthCheck()
EVERY = 10.0  # seconds, unless the check says otherwise


@dataclass(frozen=True, slots=True)
class Life:
    """What an instance that is up said lately."""

    failures: int = 0  # in a row
    said: str = ""


class Prober:
    """Each starting instance is asked in a thread of its own; those that are up share a few."""

    def __init__(self, ring: Callable[[int], None]) -> None:
        self._ring = ring  # called with the app's id when there is something to do
        self._lock = threading.Lock()
        self._watched: dict[int, threading.Event] = {}
        self._answers: dict[int, Answer] = {}
        self._rounds = Rounds(ring)

    def watch(
        self, app_id: int, instance_id: int, probe: Probe, check: HealthCheck = USUAL
    ) -> None:
        """Start asking until it is ready, unless that is under way."""
        with self._lock:
            if instance_id in self._watched:
                return
            stop = threading.Event()
            self._watched[instance_id] = stop
        threading.Thread(
            target=self._ask_until_ready,
            args=(app_id, instance_id, probe, check, stop),
            name=f"health-{instance_id}",
            daemon=True,
        ).start()

    def tend(self, app_id: int, instance_id: int, probe: Probe, check: HealthCheck) -> None:
        """Ask an instance that is up from now on, unless that is under way."""
        self._rounds.add(app_id, instance_id, probe, check)

    def forget(self, instance_id: int) -> None:
        """Stop asking, and forget what was answered."""
        with self._lock:
            stop = self._watched.pop(instance_id, None)
            self._answers.pop(instance_id, None)
        if stop is not None:
            stop.set()
        self._rounds.drop(instance_id)

    def answers(self, instance_ids: Iterable[int]) -> dict[int, Answer]:
        with self._lock:
            return {i: self._answers[i] for i in instance_ids if i in self._answers}

    def lives(self, instance_ids: Iterable[int]) -> dict[int, Life]:
        """Of those that are tended."""
        return self._rounds.lives(instance_ids)

    def _ask_until_ready(
        self,
        app_id: int,
        instance_id: int,
        probe: Probe,
        check: HealthCheck,
        stop: threading.Event,
    ) -> None:
        stop.wait(check.initial_delay)
        began = time.monotonic()
        while not stop.is_set():
            asked = time.monotonic()
            answer = probe()
            with self._lock:
                if stop.is_set():
                    return
                self._answers[instance_id] = answer
            if answer.ready:
                self._ring(app_id)
                return
            pause = SHORT_PAUSE if asked - began < SHORT_SECONDS else LONG_PAUSE
            # An answer that took long says that the app is busy: give it as long to recover.
            busy = min(time.monotonic() - asked, 1.0)
            stop.wait(check.wait or max(pause, busy))


@dataclass(slots=True)
class _Patient:
    app_id: int
    probe: Probe
    check: HealthCheck
    life: Life
    due: float = 0.0


class Rounds:
    """Asks instances that are up, every few seconds. Without any it has no thread."""

    def __init__(self, ring: Callable[[int], None]) -> None:
        self._ring = ring
        self._condition = threading.Condition()
        self._patients: dict[int, _Patient] = {}
        self._due: list[tuple[float, int]] = []
        self._thread: threading.Thread | None = None

    def add(self, app_id: int, instance_id: int, probe: Probe, check: HealthCheck) -> None:
        with self._condition:
            if instance_id in self._patients:
                return
            self._patients[instance_id] = patient = _Patient(app_id, probe, check, Life())
            self._again(instance_id, patient, max(check.initial_delay, check.wait or EVERY))
            if self._thread is None:
                self._thread = threading.Thread(target=self._go, name="health-rounds", daemon=True)
                self._thread.start()

    def _again(self, instance_id: int, patient: _Patient, pause: float) -> None:
        patient.due = time.monotonic() + pause
        heapq.heappush(self._due, (patient.due, instance_id))
        self._condition.notify()

    def drop(self, instance_id: int) -> None:
        with self._condition:
            self._patients.pop(instance_id, None)

    def lives(self, instance_ids: Iterable[int]) -> dict[int, Life]:
        with self._condition:
            return {i: self._patients[i].life for i in instance_ids if i in self._patients}

    def _go(self) -> None:
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="health-round") as pool:
            while (instance_id := self._next()) is not None:
                pool.submit(self._ask, instance_id)

    def _next(self) -> int | None:
        """The next that is due; None when there are no more."""
        with self._condition:
            while self._patients:
                if not self._due:
                    self._condition.wait(EVERY)  # all are being asked
                    continue
                when, instance_id = self._due[0]
                pause = when - time.monotonic()
                patient = self._patients.get(instance_id)
                if patient is None or patient.due != when:  # it was dropped meanwhile
                    heapq.heappop(self._due)
                elif pause > 0:
                    self._condition.wait(pause)
                else:
                    return heapq.heappop(self._due)[1]
            self._due.clear()
            self._thread = None
            return None

    def _ask(self, instance_id: int) -> None:
        with self._condition:
            patient = self._patients.get(instance_id)
        if patient is None:
            return
        answer = patient.probe()
        failures = 0 if answer.ready else patient.life.failures + 1
        with self._condition:
            if self._patients.get(instance_id) is not patient:
                return
            patient.life = Life(failures, answer.said)
            self._again(instance_id, patient, patient.check.wait or EVERY)
        if failures >= patient.check.attempts:
            self._ring(patient.app_id)
