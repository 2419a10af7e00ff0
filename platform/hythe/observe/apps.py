"""What the control plane tells the collector about apps: HYTHE_HOME/collect/apps.json."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hythe.observe.sources import APPS_FILE, collect_folder, replace


@dataclass(frozen=True, slots=True)
class DrainPlace:
    """Where a drain sends an app's log to."""

    id: int
    app_id: int
    app: str  # its name
    url: str  # sealed, see hythe/vault.py


@dataclass(frozen=True, slots=True)
class Apps:
    """Which apps there are, where they answer, and who else gets their logs."""

    log_bytes: int  # most bytes of an app's log
    log_days: int = 0  # most days that a line is kept; 0: as long as there is room
    ids: frozenset[int] = frozenset()
    hosts: dict[str, int] = field(default_factory=dict)  # "shop.localhost", "a.example/b": app id
    drains: tuple[DrainPlace, ...] = ()
    names: dict[str, int] = field(default_factory=dict)  # "shop": app id

    @classmethod
    def load(cls, home: Path) -> "Apps | None":
        """None before a control plane has told, and where a power failure left the file torn."""
        try:
            document = json.loads(apps_file(home).read_text())
            return cls(
                document["log_bytes"],
                document.get("log_days", 0),
                frozenset(document["ids"]),
                document["hosts"],
                tuple(DrainPlace(**drain) for drain in document.get("drains", ())),
                document.get("names", {}),
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def save(self, home: Path) -> None:
        """Raises OSError."""
        replace(apps_file(home), json.dumps({**asdict(self), "ids": sorted(self.ids)}))


def apps_file(home: Path) -> Path:
    return collect_folder(home) / APPS_FILE
