"""What the control plane tells the collector about apps: HYTHE_HOME/collect/apps.json."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hythe.observe.sources import APPS_FILE, collect_folder, replace


@dataclass(frozen=True, slots=True)
class Apps:
    """Which apps there are, and where they answer."""

    log_bytes: int  # most bytes of an app's log
    ids: frozenset[int] = frozenset()
    hosts: dict[str, int] = field(default_factory=dict)  # "shop.localhost", "a.example/b": app id
    names: dict[str, int] = field(default_factory=dict)  # "shop": app id

    @classmethod
    def load(cls, home: Path) -> "Apps | None":
        """None before a control plane has told, and where a power failure left the file torn."""
        try:
            document = json.loads(apps_file(home).read_text())
            return cls(
                document["log_bytes"],
                frozenset(document["ids"]),
                document["hosts"],
                document.get("names", {}),
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def save(self, home: Path) -> None:
        """Raises OSError."""
        replace(apps_file(home), json.dumps({**asdict(self), "ids": sorted(self.ids)}))


def apps_file(home: Path) -> Path:
    return collect_folder(home) / APPS_FILE
