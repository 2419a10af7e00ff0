"""The settings that stay with an installation: HYTHE_HOME/hythe.env, lines of NAME=VALUE.

`bin/up` keeps there what it was started with, and people may edit it. Every program of the
installation takes from it what its own environment does not say. The quoting is what a POSIX shell
and EnvironmentFile of systemd.exec(5) have in common; nothing is expanded.

The standard library only: the set-up reads it before anything is installed.
"""

import os
import re
import shlex
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from hythe.errors import BadSettingsFile

NAME = "hythe.env"
HEAD = """\
# The settings of this installation; docs/reference/settings.md lists them. `bin/up` writes here
# what it was started with; a variable in its environment wins. After a change: bin/up --restart
"""
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")


def read(home: Path) -> dict[str, str]:
    """What the file says; nothing where there is none. Raises BadSettingsFile, PermissionError."""
    try:
        text = (home / NAME).read_text()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except UnicodeDecodeError as error:
        raise BadSettingsFile(f"{home / NAME} is not text: {error.reason}.") from None
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(("#", ";")):
            continue
        pair = _LINE.fullmatch(line)
        try:
            words = shlex.split(pair[2]) if pair else None
        except ValueError:  # a quote that is not closed
            words = None
        if pair is None or words is None:
            raise BadSettingsFile(f"Line {number} of {home / NAME} is not NAME=VALUE.")
        found[pair[1]] = " ".join(words)
    return found


def fill(environ: MutableMapping[str, str], home: Path | None = None) -> None:
    """Add to an environment what it does not say itself. Raises as `read` does."""
    place = home or Path(environ.get("HYTHE_HOME") or ".hythe").expanduser()
    for name, value in read(place).items():
        environ.setdefault(name, value)


def keep(home: Path, values: Mapping[str, str | None]) -> None:
    """Set variables in the file, or remove them (None); its other lines stay as they are."""
    there = read(home)
    path = home / NAME
    lines = path.read_text().splitlines() if path.exists() else HEAD.splitlines()
    changed = {name: value for name, value in values.items() if there.get(name) != value}
    if not changed and path.exists():
        return
    named = [(line, _LINE.fullmatch(line)) for line in lines]
    left = [line for line, pair in named if pair is None or pair[1] not in changed]
    left += [f"{name}={_quoted(value)}" for name, value in changed.items() if value is not None]
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # it may hold passwords
    with os.fdopen(fd, "w") as file:
        file.write("\n".join(left) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


def _quoted(value: str) -> str:
    """A value on one line; a line break in it becomes a space."""
    return shlex.quote(" ".join(value.splitlines())) if value else ""
