"""Reading the app's own files, whichever editor saved them."""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

from hythe_buildpack.report import stop


def text(file: Path, name: str | None = None) -> str:
    """A file's text, UTF-8 with or without its mark; stops at any other encoding."""
    name = name or file.name
    data = file.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data:
        stop(
            f"{name} is UTF-16, not UTF-8.",
            f"Save {name} as UTF-8 (PowerShell: `| Out-File -Encoding utf8`).",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        stop(f"{name} is not UTF-8.", f"Save {name} as UTF-8.")


def toml(file: Path) -> dict[str, Any]:
    """A TOML file; an absent one is empty."""
    if not file.is_file():
        return {}
    content = text(file)
    _refuse_conflicts(file, content)
    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        stop(f"{file.name} is not valid TOML: {error}", f"Correct {file.name}.")


def table(file: Path) -> dict[str, Any]:
    """A JSON file that holds an object."""
    content = text(file)
    _refuse_conflicts(file, content)
    try:
        found = json.loads(content)
    except json.JSONDecodeError as error:
        stop(f"{file.name} is not valid JSON: {error}", f"Make {file.name} again.")
    if not isinstance(found, dict):
        stop(f"{file.name} is not a JSON object.", f"Make {file.name} again.")
    return found


def tree_digest(app: Path) -> bytes:
    """A digest of the names and contents of all files."""
    sha = hashlib.sha256()
    for file in sorted(path for path in app.rglob("*") if path.is_file() and not path.is_symlink()):
        sha.update(
            str(file.relative_to(app)).encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest()
        )
    return sha.digest()


def _refuse_conflicts(file: Path, content: str) -> None:
    if content.startswith("<<<<<<< ") or "\n<<<<<<< " in content:
        stop(
            f"{file.name} has the marks of a merge conflict.",
            f"Resolve the conflict in {file.name}, and commit it.",
        )
