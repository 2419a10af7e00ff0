"""What the control plane and the collector say to each other about containers: HYTHE_HOME/collect.

Files, so that each may be away while the other works. The name begins with the container's id:

    ID.json     from the control plane: read this container's log
    ID.ended    from the control plane: it has ended, and shall be removed
    ID.stored   from the collector: all that it wrote is in the app's log

The control plane removes all three when the container is gone. A deployment's transcript is read
in the same way, as a container named `deployment-NUMBER`: it holds what builds print. `apps.json`
is in the same folder, see apps.py.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from hythe.engine.port import Container
from hythe.names import LABEL_KIND
from hythe.observe.origin import Origin

TRANSCRIPT = "deployment-"
"""How the id of a deployment's transcript begins, which is read like a container's log."""
SOURCE, ENDED, STORED = ".json", ".ended", ".stored"
APPS_FILE = "apps.json"


def collect_folder(home: Path) -> Path:
    return home / "collect"


@dataclass(frozen=True, slots=True)
class Source:
    """A container whose output is collected, or a deployment that is built."""

    id: str
    kind: str
    path: Path | None  # the engine's log file; None where the engine has none
    origin: Origin

    @classmethod
    def of(cls, container: Container) -> "Source | None":
        """None for a container whose output is not collected, or that was never started."""
        origin = Origin.of(container.labels)
        if origin is None or container.state == "created":
            return None
        return cls(container.id, container.labels[LABEL_KIND], container.log_path, origin)


class Sources:
    """The folder, for either side."""

    def __init__(self, home: Path) -> None:
        self._folder = collect_folder(home)

    def ids(self) -> Mapping[str, frozenset[str]]:
        """The ids of containers by what is said about them: SOURCE, ENDED, STORED."""
        found: dict[str, set[str]] = {SOURCE: set(), ENDED: set(), STORED: set()}
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self._folder):
                container, dot, suffix = entry.name.partition(".")
                if dot + suffix in found and entry.name != APPS_FILE:
                    found[dot + suffix].add(container)
        return {suffix: frozenset(ids) for suffix, ids in found.items()}

    def load(self, container_id: str) -> Source | None:
        """None when it is gone, or was left torn by a power failure."""
        try:
            document = json.loads(self._path(container_id, SOURCE).read_text())
            path = document["path"]
            return Source(
                container_id,
                document["kind"],
                Path(path) if path is not None else None,
                Origin(**document["origin"]),
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def announce(self, source: Source) -> None:
        """Say that a container's log is to be read. Raises OSError."""
        path = None if source.path is None else str(source.path)
        document = {"kind": source.kind, "path": path, "origin": asdict(source.origin)}
        replace(self._path(source.id, SOURCE), json.dumps(document))

    def end(self, container_id: str) -> None:
        """Say that it has ended. Raises OSError."""
        self._path(container_id, ENDED).touch()

    def go_on(self, container_id: str) -> None:
        """Take back that it has ended, and the answer."""
        for suffix in (ENDED, STORED):
            self._path(container_id, suffix).unlink(missing_ok=True)

    def store(self, container_id: str) -> None:
        """Answer that all of it is stored. Raises OSError."""
        self._path(container_id, STORED).touch()

    def is_stored(self, container_id: str) -> bool:
        return self._path(container_id, STORED).exists()

    def forget(self, container_id: str) -> None:
        """Remove what is said about a container; an absent one is not an error."""
        self._path(container_id, SOURCE).unlink(missing_ok=True)
        self.go_on(container_id)

    def changed_at(self) -> int:
        """A number that differs when something was said since; nought without a folder."""
        try:
            return self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _path(self, container_id: str, suffix: str) -> Path:
        return self._folder / (container_id + suffix)


def replace(path: Path, text: str) -> None:
    """Replace a file, whole or not at all, and make its folder. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(path.name + ".new")
    draft.write_text(text)
    draft.replace(path)
