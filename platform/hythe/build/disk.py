"""The disks of this machine that builds fill, and what of them Hythe takes.

HYTHE_HOME/disk.json has what the last look of the governor found, for the API.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hythe import wholefile
from hythe.build.prune import figure
from hythe.errors import DiskFull
from hythe.settings import Settings

MEASURE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system that holds folders of ours."""

    folders: tuple[str, ...]
    total: int  # bytes
    free: int  # bytes that we may still use


@dataclass(frozen=True, slots=True)
class Share:
    """What an app takes."""

    images: int  # how many
    image_bytes: int
    cache_bytes: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What the governor found."""

    at: float  # Unix seconds
    engine: str | None  # the engine's folder
    total: int  # bytes of all images and caches
    apps: Mapping[str, Share] = field(default_factory=dict)  # by the app's id

    def save(self, settings: Settings) -> None:
        wholefile.write(_file(settings), json.dumps(asdict(self)).encode(), 0o600)

    @classmethod
    def load(cls, settings: Settings) -> "Survey | None":
        """The last one; None before the first."""
        try:
            document: dict[str, Any] = json.loads(_file(settings).read_text())
            shares = {app: Share(**share) for app, share in document.pop("apps").items()}
            return cls(**document, apps=shares)
        except (OSError, ValueError, KeyError, TypeError):
            return None


def disks(home: Path, engine: Path | None) -> list[Disk]:
    """The file systems of HYTHE_HOME and of the engine's images; often they are one."""
    found: dict[int, Disk] = {}
    for folder in filter(None, (home, engine)):
        try:
            number, facts = folder.stat().st_dev, os.statvfs(folder)
        except OSError:
            continue
        before = found[number].folders if number in found else ()
        total, free = facts.f_blocks * facts.f_frsize, facts.f_bavail * facts.f_frsize
        found[number] = Disk((*before, str(folder)), total, free)
    return list(found.values())


def lacking(settings: Settings, engine: Path | None) -> int:
    """The bytes that the fullest disk lacks of the reserve; 0 when a build may start."""
    free = min((each.free for each in disks(settings.home, engine)), default=0)
    return max(settings.disk_reserve - free, 0)


def require_room(settings: Settings, engine: Path | None) -> None:
    """Raise DiskFull, with the figures, when a disk has less than the reserve."""
    for disk in disks(settings.home, engine):
        if disk.free < settings.disk_reserve:
            raise DiskFull(
                f"The disk of {' and '.join(disk.folders)} is nearly full: "
                f"{figure(disk.free)} of {figure(disk.total)} are free, a build needs "
                f"{figure(settings.disk_reserve)} (HYTHE_DISK_RESERVE)."
            )


def size_of(folder: Path) -> int:
    """The bytes that a folder takes on its disk; a file with several names counts once.

    Measured by a program of its own, which leaves the control plane's time alone.
    """
    command = ["du", "-s", "-B1", "--", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MEASURE_SECONDS)
    return int(done.stdout.split()[0]) if done.stdout else 0


def _file(settings: Settings) -> Path:
    return settings.home / "disk.json"
