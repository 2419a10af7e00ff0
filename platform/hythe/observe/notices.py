"""What the collector saw, on its way to the events: HYTHE_HOME/notices, a file for each.

The collector knows no database; the control plane that leads takes the files. It may be away: then
they wait, at most so many. A control plane that dies between its commit and the removal of a file
records that one twice.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hythe import logs
from hythe.observe.sources import replace

MOST = 1000

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Notice:
    kind: str  # of the event
    app_id: int
    message: str
    fix: str


class Notices:
    """The folder, for either side."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "notices"

    def post(self, notice: Notice) -> None:
        """Leave it for the control plane; never raises."""
        try:
            if sum(1 for _ in self._files()) < MOST:
                replace(self._folder / f"{time.time_ns():020d}.json", json.dumps(asdict(notice)))
        except OSError as error:
            log.warning("notice lost", kind=notice.kind, error=str(error))

    def waiting(self) -> list[tuple[Path, Notice]]:
        """Oldest first; remove each file once it is recorded."""
        found = []
        for path in sorted(self._files()):
            try:
                found.append((path, Notice(**json.loads(path.read_text()))))
            except (OSError, ValueError, TypeError):  # left torn by a power failure
                path.unlink(missing_ok=True)
        return found

    def _files(self) -> Iterator[Path]:
        return self._folder.glob("*.json")
