"""How far each source has been read, in a file that survives the collector."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hythe import logs
from hythe.observe.line import Cursor
from hythe.observe.tail import Position

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far one source has been read, and what its decoder keeps of it."""

    position: Position = field(default_factory=Position)
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The marks of all sources, and a place in each app's log.

    What is stored before those places lies before the marks; what is stored after them may lie on
    either side, since lines go into the store first and the checkpoint is saved now and then.
    """

    marks: dict[str, Mark] = field(default_factory=dict)  # by source
    ends: dict[int, Cursor] = field(default_factory=dict)  # by app id

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """The saved checkpoint; an empty one when there is none, or none that can be read."""
        try:
            document = json.loads(path.read_text())
            return cls(
                marks={key: _mark(item) for key, item in document["marks"].items()},
                ends={int(app): Cursor.parse(text) for app, text in document["ends"].items()},
            )
        except FileNotFoundError:
            return cls()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("log checkpoint unreadable", path=str(path), error=repr(error))
            return cls()

    def save(self, path: Path) -> None:
        """Replace the file; a crash leaves the old one or the new one."""
        document = {
            "marks": {
                key: {
                    "offset": mark.position.offset,
                    "proof": mark.position.proof.decode("latin-1"),
                    "state": mark.state,
                }
                for key, mark in self.marks.items()
            },
            "ends": {str(app_id): str(cursor) for app_id, cursor in self.ends.items()},
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        with new.open("w") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


def _mark(item: dict[str, Any]) -> Mark:
    position = Position(int(item["offset"]), item["proof"].encode("latin-1"))
    return Mark(position, item["state"])
