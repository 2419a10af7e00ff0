"""All drains of a home: started and stopped as apps.json says, and their progress in a file."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

from hythe import logs
from hythe.observe.apps import DrainPlace
from hythe.observe.drain import STOP_SECONDS, Drain, Progress
from hythe.observe.drain_url import DrainUrl
from hythe.observe.reader import LogReader
from hythe.observe.sending import Sender
from hythe.observe.sources import replace
from hythe.observe.store import Bounds, LogStore

log = logs.get(__name__)


def progress_file(bounds: Bounds) -> Path:
    return bounds.log_dir / "drains.json"


def load(bounds: Bounds) -> dict[int, Progress]:
    """The progress of drains by their ids; empty when there is none that can be read."""
    try:
        document = json.loads(progress_file(bounds).read_text())
        return {int(number): Progress(**item) for number, item in document.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        log.warning("progress of drains unreadable", error=repr(error))
        return {}


class Drains:
    """Belongs to the collector, which calls all of it from one thread."""

    def __init__(self, bounds: Bounds, store: LogStore, unseal: Callable[[str], str]) -> None:
        """unseal: the URL of a sealed one; raises HytheError."""
        self._bounds = bounds
        self._store = store
        self._reader = LogReader(bounds)
        self._unseal = unseal
        self._saved = load(bounds)
        self._running: dict[DrainPlace, Drain] = {}

    def learn(self, places: Iterable[DrainPlace]) -> None:
        """Start those that are new, stop those that are gone."""
        wanted = set(places)
        for place in self._running.keys() - wanted:
            self._running.pop(place).stop()
        for place in wanted - self._running.keys():
            drain = Drain(
                place.id,
                place.app_id,
                self._reader,
                self._store,
                lambda place=place: self._sender(place),  # type: ignore[misc]
                self._saved.get(place.id),
            )
            self._running[place] = drain
            drain.start()

    def save(self) -> None:
        """Keep how far they are; on a full disk, say, the next call tries again."""
        progress = {drain.number: drain.progress for drain in self._running.values()}
        if progress != self._saved:
            text = json.dumps({str(number): asdict(one) for number, one in progress.items()})
            try:
                replace(progress_file(self._bounds), text)
                self._saved = progress
            except OSError as error:
                log.warning("progress of drains not saved", error=str(error))

    def stop(self) -> None:
        """End all, and keep how far they are."""
        for drain in self._running.values():
            drain.stop()
        until = time.monotonic() + STOP_SECONDS
        for drain in self._running.values():
            drain.wait(max(0.0, until - time.monotonic()))
        self.save()

    def _sender(self, place: DrainPlace) -> Sender:
        url = DrainUrl.parse(self._unseal(place.url))
        if url.syslog:
            from hythe.observe.syslog import SyslogSender

            return SyslogSender(url, place.app)
        from hythe.observe.http_drain import HttpSender  # what it needs takes some memory

        return HttpSender(url, place.app)
