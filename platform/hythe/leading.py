"""Leading: the stages run in one control plane at a time.

On SQLite that is this one, from its start on. On PostgreSQL it is the one that has the lead; the
others stand by: they answer the API, and one of them takes over when the lead is free.

Whoever loses the lead (its database went away, or it was stopped for long) starts over as a new
image of its process, so that no thread and no build of the old one survives.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from hythe import logs
from hythe.errors import HytheError
from hythe.model.hearing import Hearing
from hythe.model.lead import Lead

TRY_SECONDS = 0.5
COMPLAIN_SECONDS = 60.0

log = logs.get(__name__)


class Stage(Protocol):
    """What works in threads of its own between start and stop."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Alone:
    """The lead of the only control plane."""

    def try_take(self) -> bool:
        return True

    def keep(self, stopping: threading.Event) -> bool:
        stopping.wait()
        return True

    def release(self) -> None: ...


class Leading:
    """Takes the lead as soon as it is free, and starts the stages then."""

    def __init__(
        self,
        lead: Lead | Alone,
        hearing: Hearing | None,
        stages: Callable[[], Sequence[Stage]],
        start_over: Callable[[], None],
    ) -> None:
        """stages: makes them, after a look at the database; raises a HytheError if it cannot."""
        self._lead = lead
        self._hearing = hearing
        self._make_stages = stages
        self._start_over = start_over
        self._stages: list[Stage] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leading", daemon=True)
        self._complained = -COMPLAIN_SECONDS

    @property
    def stages(self) -> Sequence[Stage]:
        """Those that run here."""
        return tuple(self._stages)

    @property
    def leads(self) -> bool:
        return bool(self._stages)

    def start(self) -> None:
        """Try at once, so that who leads is ready when the API is; then go on trying."""
        if isinstance(self._lead, Alone):
            self._start_stages()
        elif not self._try():
            log.info("this control plane stands by")
            self._thread.start()

    def stop(self) -> None:
        """Stop the stages, then leave the lead to another."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._hearing is not None and self.leads:
            self._hearing.stop()
        for stage in reversed(self._stages):
            try:
                stage.stop()
            except HytheError as error:  # the database or the engine is away
                log.warning("stage not stopped in order", error=error.cause)
        self._lead.release()

    def _run(self) -> None:
        while not self._stopping.wait(TRY_SECONDS):
            if self._try():
                return

    def _try(self) -> bool:
        try:
            if self._lead.try_take():
                threading.Thread(target=self._keep, name="lead", daemon=True).start()
                self._start_stages()
        except Exception as error:  # the database is away, read-only, or of another version
            self._lead.release()
            if self._stages:  # half of them run: only a new image ends them for certain
                self._start_over()
            self._complain(error)
        return self.leads

    def _keep(self) -> None:
        if not self._lead.keep(self._stopping):
            log.error("the lead is lost; starting over")
            self._start_over()

    def _start_stages(self) -> None:
        stages = self._make_stages()
        for stage in stages:
            self._stages.append(stage)
            stage.start()
        if self._hearing is not None:
            self._hearing.start()

    def _complain(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._complained >= COMPLAIN_SECONDS:
            self._complained = now
            known = isinstance(error, HytheError)
            log.warning("cannot lead", error=str(error), exc_info=None if known else error)
