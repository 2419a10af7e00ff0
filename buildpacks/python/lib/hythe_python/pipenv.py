"""Pipfile.lock: its `default` packages. Format: pipenv's specification 6."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hythe_buildpack.report import stop
from packaging.utils import canonicalize_name

from hythe_python import source
from hythe_python.lock import Lock, Pin

RELOCK = "Run `pipenv lock` and commit Pipfile.lock."
DEFAULT_INDEX = "pypi"  # what pipenv calls it; the operator's settings say where it is
# Sections of a Pipfile that are no further group of packages.
KNOWN = {
    "source", "packages", "dev-packages", "requires", "scripts", "pipfile", "pipenv", "default",
    "develop",
}  # fmt: skip


def read(app: Path) -> Lock:
    """The lock; stops when it does not fit the Pipfile."""
    lock = source.table(app / "Pipfile.lock")
    meta = lock.get("_meta", {})
    if not _fits(source.toml(app / "Pipfile"), lock):
        stop("Pipfile.lock does not fit the Pipfile.", RELOCK)
    pins = [_pin(app, name, entry) for name, entry in sorted(lock.get("default", {}).items())]
    return Lock(tuple(pins), tuple(_indexes(meta.get("sources", []))))


def _fits(pipfile: dict[str, Any], lock: dict[str, Any]) -> bool:
    """Whether the lock was made from this Pipfile.

    Without a `source` in it the digest depends on the machine that made the lock; names must do.
    """
    known = lock.get("_meta", {}).get("hash", {}).get("sha256")
    if known and pipfile.get("source"):
        return known in pipfile_hashes(pipfile)
    locked = {canonicalize_name(name) for name in lock.get("default", {})}
    return locked >= {canonicalize_name(name) for name in pipfile.get("packages", {})}


def pipfile_hashes(pipfile: dict[str, Any]) -> set[str]:
    """The digests of a Pipfile that pipenv may have written into its lock.

    Newer ones write the packages' names in their normal form first.
    """
    return {_digest(pipfile, str), _digest(pipfile, canonicalize_name)}


def _digest(pipfile: dict[str, Any], spell: Callable[[str], str]) -> str:
    def spelled(section: dict[str, Any]) -> dict[str, Any]:
        return {spell(name): value for name, value in section.items()}

    content = {
        "_meta": {"sources": pipfile.get("source"), "requires": pipfile.get("requires", {})},
        "default": spelled(pipfile.get("packages", {})),
        "develop": spelled(pipfile.get("dev-packages", {})),
    }
    content |= {name: spelled(each) for name, each in pipfile.items() if name not in KNOWN}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _pin(app: Path, name: str, entry: dict[str, Any]) -> Pin:
    marker = entry.get("markers", "")
    if "git" in entry:
        subfolder = f"#subdirectory={entry['subdirectory']}" if "subdirectory" in entry else ""
        address = entry["git"].removeprefix("git+")
        return Pin(f"{name} @ git+{address}@{entry.get('ref', 'HEAD')}{subfolder}", (), marker)
    if "path" in entry:
        return Pin(f"{'-e ' if entry.get('editable') else ''}{(app / entry['path']).resolve()}")
    hashes = tuple(entry.get("hashes", ()))
    if "file" in entry:
        return Pin(f"{name} @ {entry['file']}", hashes, marker)
    extras = f"[{','.join(entry['extras'])}]" if entry.get("extras") else ""
    version = entry.get("version", "*")  # "*" where the machine that locked does not need it
    return Pin(f"{name}{extras}{version.removeprefix('*')}", hashes, marker)


def _indexes(sources: list[dict[str, Any]]) -> list[str]:
    """The sources that a Pipfile adds, with the variables in their addresses."""
    found = []
    for each in sources:
        if each.get("name") == DEFAULT_INDEX:
            continue
        address = os.path.expandvars(each.get("url", ""))
        if missing := re.search(r"\$\{?(\w+)", address):
            stop(
                f"The Pipfile's source {each.get('name')} needs {missing[1]}, which is not set.",
                f"Set it for builds: hythe config:set --build {missing[1]}=...",
            )
        found.append(address)
    return found
