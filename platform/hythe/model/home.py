"""Who may look into HYTHE_HOME: its owner, and others only where they have something to do.

Others may pass through the folder itself: `credentials` may belong to the person who typed sudo,
and bin/up reads run/ without being root. What is in `PRIVATE` is for the control plane and the
router's master alone, who run as one user. Builds reach their folders by bind mounts, and the
router's workers are handed open files, so neither needs a way through.
"""

import contextlib
import os
import stat
from pathlib import Path

from hythe.model.connect import sqlite_file
from hythe.settings import Settings

PRIVATE = (
    "builds", "cache", "logs", "metrics", "notices", "repositories", "router", "sources", "ssh",
)  # fmt: skip
"""Folders with people's code, config values, requests, figures and keys."""


def guard(settings: Settings) -> None:
    """Make the private folders, and close what an earlier version left open; the database too."""
    for name in PRIVATE:
        folder = settings.home / name
        folder.mkdir(mode=0o700, exist_ok=True)
        _restrict(folder, 0o700)
    guard_database(settings.database)
    _restrict_database(settings.home / "hythe.db")  # `hythe db:move` leaves it


def guard_database(url: str) -> None:
    """Make an SQLite database's file for its owner alone, and close an open one.

    SQLite gives -wal and -shm the mode of the file when it makes them.
    """
    file = sqlite_file(url)
    if file is not None:
        with contextlib.suppress(OSError):  # opening it fails too, and says why
            file.touch(mode=0o600)
        _restrict_database(file)


def _restrict_database(file: Path) -> None:
    for end in ("", "-wal", "-shm"):
        _restrict(file.with_name(file.name + end), 0o600)


def _restrict(path: Path, mode: int) -> None:
    """Take away what others may; a file of somebody else's is theirs to arrange."""
    try:
        there = path.stat()
    except OSError:
        return
    if there.st_uid == os.geteuid() and stat.S_IMODE(there.st_mode) != mode:
        path.chmod(mode)
