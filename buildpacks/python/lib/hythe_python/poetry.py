"""poetry.lock: the packages of the main group, in the formats of Poetry 1.0 to 2."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from hythe_buildpack.report import stop

from hythe_python import poetry_walk, source
from hythe_python.lock import Lock, Pin

RELOCK = "Run `poetry lock` and commit poetry.lock."
_PROJECT = ("requires-python", "dependencies", "optional-dependencies")
_ALWAYS = ("dependencies", "source", "extras", "dev-dependencies")  # hashed even where absent


def read(app: Path, python: str) -> Lock:
    """The lock for a Python version such as 3.11.2; stops when it does not fit pyproject.toml."""
    project, lock = source.toml(app / "pyproject.toml"), source.toml(app / "poetry.lock")
    meta = lock.get("metadata", {})
    if meta.get("content-hash") not in (None, *content_hashes(project)):
        stop("poetry.lock does not fit pyproject.toml.", RELOCK)
    packages = lock.get("package", [])
    if all("groups" in package for package in packages):  # from lock-version 2.1 on
        chosen = [each for each in packages if "main" in each["groups"]]
    else:
        chosen = poetry_walk.reached(project, packages, python)
    files = meta.get("files", {})  # where lock-version 1.1 keeps the hashes
    pins = [_pin(app, each, each.get("files") or files.get(each["name"], [])) for each in chosen]
    return Lock(tuple(pins), tuple(sorted(_indexes(chosen))))


def content_hashes(project: dict[str, Any]) -> set[str]:
    """The digests of pyproject.toml that Poetry may have written into its lock.

    Before Poetry 2.2 `dependency-groups` were left out.
    """
    return {_content_hash(project, groups) for groups in (project.get("dependency-groups"), None)}


def _content_hash(project: dict[str, Any], groups: dict[str, Any] | None) -> str:
    table, poetry = project.get("project", {}), project.get("tool", {}).get("poetry", {})
    content = {}
    if chosen := {key: table[key] for key in _PROJECT if table.get(key) is not None}:
        content["project"] = chosen
    if groups:
        content["dependency-groups"] = groups
    relevant = {
        key: poetry.get(key)
        for key in (*_ALWAYS, "group")
        if poetry.get(key) is not None or (key in _ALWAYS and not content)
    }
    content = content | {"tool": {"poetry": relevant}} if content else relevant
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def is_package(app: Path) -> bool:
    """Whether the app is itself a package that `poetry install` would install."""
    project = source.toml(app / "pyproject.toml")
    poetry = project.get("tool", {}).get("poetry", {})
    if "build-system" not in project or poetry.get("package-mode") is False:
        return False
    if poetry.get("packages"):
        return True
    declared = project.get("project", {}).get("name") or poetry.get("name", "")
    name = re.sub(r"[-.]+", "_", str(declared))
    places = (name, f"src/{name}", f"{name}.py", f"src/{name}.py")
    return bool(name) and any((app / place).exists() for place in places)


def _pin(app: Path, package: dict[str, Any], files: list[dict[str, str]]) -> Pin:
    name, origin = package["name"], package.get("source", {})
    hashes = tuple(sorted(file["hash"] for file in files))
    marker = package.get("markers", "")
    if isinstance(marker, dict):  # they differ from group to group
        marker = marker.get("main", "")
    match origin.get("type"):
        case "git":
            subfolder = (
                f"#subdirectory={origin['subdirectory']}" if "subdirectory" in origin else ""
            )
            commit = origin.get("resolved_reference") or origin["reference"]
            return Pin(f"{name} @ git+{origin['url']}@{commit}{subfolder}", (), marker)
        case "url":
            return Pin(f"{name} @ {origin['url']}", hashes, marker)
        case "directory" | "file":
            editable = "-e " if package.get("develop") else ""
            return Pin(f"{editable}{(app / origin['url']).resolve()}")
    return Pin(f"{name}=={package['version']}", hashes, marker)


def _indexes(packages: list[dict[str, Any]]) -> set[str]:
    """Package indexes of the app's own."""
    return {
        package["source"]["url"]
        for package in packages
        if package.get("source", {}).get("type") == "legacy"
    }
