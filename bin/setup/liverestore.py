"""live-restore: containers run on while the engine restarts. Offered with an engine of our own."""

import json
import os
import subprocess
from pathlib import Path

from . import engine
from .output import ask, detail, has_terminal

CONFIG = Path("/etc/docker/daemon.json")


def offer(asking: bool, config: Path = CONFIG) -> None:
    """Turn it on for an engine that was just installed; whatever the file says already stays."""
    found = _read(config)
    if found is None or "live-restore" in found:
        return
    if asking and has_terminal():
        if not ask("Let apps run on while the engine restarts (live-restore)?"):
            return
    else:
        detail("Apps run on while the engine restarts (live-restore)")
    write(config, {**found, "live-restore": True})
    if engine.SYSTEMD.is_dir():  # the package has started it already
        subprocess.run(["systemctl", "reload", "docker"], capture_output=True)


def write(config: Path, content: dict[str, object]) -> None:
    config.parent.mkdir(parents=True, exist_ok=True)
    draft = config.with_name(config.name + ".new")
    with draft.open("w") as file:
        file.write(json.dumps(content, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(config)


def hint() -> None:
    """One line about an engine without it; that one is somebody else's, so it is left alone."""
    try:
        info = engine.get("/info")
    except OSError:
        return
    swarm = info.get("Swarm", {}).get("LocalNodeState", "inactive") != "inactive"
    if not info.get("LiveRestoreEnabled") and not swarm:
        detail(
            "The engine is without live-restore: its restarts stop apps for a moment "
            "(docs/how-to/server.md)"
        )


def _read(config: Path) -> dict[str, object] | None:
    """The file's content; None when it is not ours to understand."""
    try:
        content = json.loads(config.read_text() or "{}")
    except FileNotFoundError:
        return {}
    except ValueError:
        detail(f"{config} is not JSON, so it was left as it is")
        return None
    return content if isinstance(content, dict) else None
