"""Which file declares the dependencies, and the key of the environment that it asks for."""

import hashlib
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from hythe_buildpack.report import stop

FORMAT = "1"  # of the environment layer; part of its key
OTHER_LOCKS = ("poetry.lock", "Pipfile.lock")
_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)[ =]?\s*(\S+)")
_LOCAL = re.compile(r"(?:(?:-e|--editable)[ =]?\s*)?(?:\.|/|file:)|-e\s|--editable[ =]")


@dataclass(frozen=True)
class Dependencies:
    """Where they are declared, and what the environment's layer is keyed by."""

    file: str | None  # requirements.txt | uv.lock | None: the app has none
    key: str
    project: bool = False  # the app is itself a package that must be installed

    @property
    def described(self) -> str:
        return self.file or "no dependencies"


def find(app: Path, stack: str) -> Dependencies:
    """Read the app's declaration; stop when there are several, or one without its lock."""
    requirements, lock = app / "requirements.txt", app / "uv.lock"
    pyproject = app / "pyproject.toml"
    others = [name for name in OTHER_LOCKS if (app / name).is_file()]
    present = [f.name for f in (requirements, lock) if f.is_file()]
    if len(present) == 2:
        stop(
            "The app has both requirements.txt and uv.lock; only one can decide what is installed.",
            "Keep uv.lock and delete requirements.txt, or the other way round.",
        )
    if lock.is_file():
        return _locked(pyproject, lock, stack)
    if requirements.is_file():
        return Dependencies("requirements.txt", _requirements_key(app, requirements, stack))
    if others:
        stop(
            f"The app has {others[0]}, which this buildpack does not read.",
            "Export it to requirements.txt with the tool that made it, and commit that.",
        )
    if pyproject.is_file() and _toml(pyproject).get("project", {}).get("dependencies"):
        stop(
            "pyproject.toml has dependencies, but there is no lock.",
            "Run `uv lock` and commit uv.lock.",
        )
    return Dependencies(None, _digest(stack, b"none"))


def _locked(pyproject: Path, lock: Path, stack: str) -> Dependencies:
    if not pyproject.is_file():
        stop(
            "There is a uv.lock, but no pyproject.toml.",
            "Commit the pyproject.toml it was made from.",
        )
    is_package = "build-system" in _toml(pyproject)
    key = _digest(stack, b"uv", lock.read_bytes(), pyproject.read_bytes())
    return Dependencies("uv.lock", key, project=is_package)


def _toml(file: Path) -> dict:
    try:
        return tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        stop(f"{file.name} is not valid TOML: {error}", f"Correct {file.name}.")


def _requirements_key(app: Path, file: Path, stack: str) -> str:
    """A digest of the file and all that it includes; of the whole app where it installs from it."""
    texts = _closure(app, file, {})
    parts = [name.encode() + b"\0" + text.encode() for name, text in sorted(texts.items())]
    if any(_LOCAL.match(line.strip()) for text in texts.values() for line in text.splitlines()):
        parts.append(_tree_digest(app))
    return _digest(stack, b"pip", *parts)


def _closure(app: Path, file: Path, seen: dict[str, str]) -> dict[str, str]:
    name = str(file.relative_to(app))
    if name in seen:
        return seen
    seen[name] = text = _text(file, name)
    for line in text.splitlines():
        match = _INCLUDE.match(line.strip())
        if match and "://" not in match[1]:
            included = (file.parent / match[1]).resolve()
            if not included.is_relative_to(app.resolve()) or not included.is_file():
                stop(
                    f"{name} includes {match[1]}, which is not in the source.",
                    "Commit it, or remove the line.",
                )
            _closure(app, app / included.relative_to(app.resolve()), seen)
    return seen


def _text(file: Path, name: str) -> str:
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


def _tree_digest(app: Path) -> bytes:
    sha = hashlib.sha256()
    for file in sorted(path for path in app.rglob("*") if path.is_file() and not path.is_symlink()):
        sha.update(
            str(file.relative_to(app)).encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest()
        )
    return sha.digest()


def _digest(stack: str, *parts: bytes) -> str:
    sha = hashlib.sha256(f"{FORMAT} {stack} {sys.version}".encode())
    for part in parts:
        sha.update(hashlib.sha256(part).digest())
    return sha.hexdigest()
