"""Which file declares the dependencies, and the key of the environment that it asks for."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from hythe_buildpack.report import stop

from hythe_python import source

FORMAT = "2"  # of the environment layer; part of its key
# Who reads what: exactly one of these decides.
FILES = ("uv.lock", "poetry.lock", "Pipfile.lock", "requirements.txt")
PROJECTS = {"uv.lock": "pyproject.toml", "poetry.lock": "pyproject.toml", "Pipfile.lock": "Pipfile"}
MISSPELT = (
    "requirement.txt", "Requirements.txt", "requirements.text", "requirements", "requirments.txt",
    "requirements.txt.txt", "pipfile.lock", "Poetry.lock", "pip-requirements.txt",
)  # fmt: skip
_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)[ =]?\s*(\S+)")
_LOCAL = re.compile(r"(?:(?:-e|--editable)[ =]?\s*)?(?:\.|/|file:)|-e\s|--editable[ =]")

_FOLDER = re.compile(rb'^type = "(directory|file)"|^\s*"path":', re.M)  # installed from the source


@dataclass(frozen=True)
class Dependencies:
    """Where they are declared, and what the environment's layer is keyed by."""

    file: str | None  # one of FILES; None: the app has none
    key: str
    project: bool = False  # the app is itself a package that must be installed

    @property
    def described(self) -> str:
        return self.file or "no dependencies"


def find(app: Path, python: str) -> Dependencies:
    """Read the app's declaration; stop when there are several, or one without its lock.

    `python` is the version that the environment is for, such as 3.11.2.
    """
    present = [name for name in FILES if (app / name).is_file()]
    if len(present) > 1:
        _refuse_several(app, present)
    if not present:
        _refuse_unlocked(app)
        return Dependencies(None, _digest(python, b"none"))
    file = present[0]
    if file == "requirements.txt":
        return Dependencies(file, _requirements_key(app, app / file, python))
    return _locked(app, file, python)


def _refuse_several(app: Path, present: list[str]) -> None:
    """The project's own tool says which of them is meant."""
    project = source.toml(app / "pyproject.toml")
    keep = present[0]
    if "poetry.lock" in present and "poetry" in project.get("tool", {}):
        keep = "poetry.lock"
    others = " and ".join(name for name in present if name != keep)
    number = "both " if len(present) == 2 else ""
    stop(
        f"The app has {number}{' and '.join(present)}; only one can decide what is installed.",
        f"Keep {keep} and delete {others}, or the other way round.",
    )


def _refuse_unlocked(app: Path) -> None:
    """Stop where dependencies are declared, but not locked."""
    project = source.toml(app / "pyproject.toml")
    declared = project.get("tool", {}).get("poetry", {}).get("dependencies", {})
    if set(declared) - {"python"}:
        stop(
            "pyproject.toml has Poetry's dependencies, but there is no lock.",
            "Run `poetry lock` and commit poetry.lock.",
        )
    if project.get("project", {}).get("dependencies"):
        stop(
            "pyproject.toml has dependencies, but there is no lock.",
            "Run `uv lock` and commit uv.lock.",
        )
    if source.toml(app / "Pipfile").get("packages"):
        stop("There is a Pipfile, but no lock.", "Run `pipenv lock` and commit Pipfile.lock.")
    names = {file.name for file in app.iterdir() if file.is_file()}
    if misspelt := names.intersection(MISSPELT):
        name = min(misspelt)
        right = next((each for each in FILES if each == name.lower()), "requirements.txt")
        stop(f"There is {name}, which nothing reads.", f"Rename it: git mv {name} {right}")


def _locked(app: Path, file: str, python: str) -> Dependencies:
    project, lock = app / PROJECTS[file], app / file
    if not project.is_file():
        stop(
            f"There is a {file}, but no {project.name}.",
            f"Commit the {project.name} it was made from.",
        )
    if file == "uv.lock":
        is_package = "build-system" in source.toml(project)
    elif file == "poetry.lock":
        from hythe_python import poetry  # it loads `packaging`: 20 ms of every build

        is_package = poetry.is_package(app)
    else:
        is_package = False
    content = lock.read_bytes()
    parts = [file.encode(), content, project.read_bytes(), str(is_package).encode()]
    if file != "uv.lock" and _FOLDER.search(content):
        parts.append(source.tree_digest(app))
    return Dependencies(file, _digest(python, *parts), project=is_package)


def _requirements_key(app: Path, file: Path, python: str) -> str:
    """A digest of the file and all that it includes; of the whole app where it installs from it."""
    texts = _closure(app, file, {})
    parts = [name.encode() + b"\0" + text.encode() for name, text in sorted(texts.items())]
    if any(_LOCAL.match(line.strip()) for text in texts.values() for line in text.splitlines()):
        parts.append(source.tree_digest(app))
    return _digest(python, b"pip", *parts)


def _closure(app: Path, file: Path, seen: dict[str, str]) -> dict[str, str]:
    name = str(file.relative_to(app))
    if name in seen:
        return seen
    seen[name] = text = source.text(file, name)
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


def _digest(python: str, *parts: bytes) -> str:
    sha = hashlib.sha256(f"{FORMAT} {python}".encode())
    for part in parts:
        sha.update(hashlib.sha256(part).digest())
    return sha.hexdigest()
