"""Stamps: small files beside what was installed or built, which say of what it was made."""

import json
from pathlib import Path


def read(path: Path) -> dict[str, str]:
    """The entries; none where there is no stamp, or a broken one."""
    try:
        stamp: dict[str, str] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return stamp


def write(path: Path, **entries: str) -> None:
    """Add or replace entries."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps({**read(path), **entries}))
    new.replace(path)
