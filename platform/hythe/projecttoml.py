"""project.toml: what a source says about its build (the project descriptor of buildpacks/spec).

Both versions of its schema are read: 0.1 has `[build]`, 0.2 (`_.schema-version`) has
`[io.buildpacks]`.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from hythe.errors import ProjectTomlError

FILE = "project.toml"
LARGEST = 256 * 1024  # bytes
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Declared:
    """A buildpack that the file names: by id, by uri, or as a script."""

    id: str | None = None
    version: str | None = None
    uri: str | None = None
    script: Mapping[str, str] | None = None  # api, inline, shell


@dataclass(frozen=True, slots=True)
class ProjectToml:
    """The parts of the file that decide a build."""

    buildpacks: tuple[Declared, ...] = ()
    pre: tuple[Declared, ...] = ()
    post: tuple[Declared, ...] = ()
    env: Mapping[str, str] | None = None
    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Parse the file; raises ProjectTomlError with the path of what is wrong."""
        if len(data) > LARGEST:
            raise ProjectTomlError(f"{FILE} is over {LARGEST // 1024} KiB.", "Make it smaller.")
        try:
            document = tomllib.loads(data.decode("utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProjectTomlError(f"{FILE} is not valid TOML: {error}.") from None
        version = _table(document, "_").get("schema-version", "0.1")
        if version == "0.1":
            return cls._first(document)
        if version == "0.2":
            return cls._second(document)
        raise ProjectTomlError(
            f"{FILE} has the schema version {version!r}.", "This version reads 0.1 and 0.2."
        )

    @classmethod
    def _first(cls, document: Mapping[str, Any]) -> Self:
        build = _table(document, "build")
        return cls(
            buildpacks=_declared(build, "build.buildpacks", "buildpacks"),
            env=_env(build.get("env", ()), "build.env"),
            **_files(build, "build"),  # type: ignore[arg-type]
        )

    @classmethod
    def _second(cls, document: Mapping[str, Any]) -> Self:
        about = _table(_table(document, "io"), "buildpacks", "io.buildpacks")
        build = _table(about, "build", "io.buildpacks.build")
        return cls(
            buildpacks=_declared(about, "io.buildpacks.group", "group"),
            pre=_declared(_table(about, "pre", "io.buildpacks.pre"), "io.buildpacks.pre", "group"),
            post=_declared(
                _table(about, "post", "io.buildpacks.post"), "io.buildpacks.post", "group"
            ),
            env=_env(build.get("env", ()), "io.buildpacks.build.env"),
            **_files(about, "io.buildpacks"),
        )


def _table(document: Mapping[str, Any], key: str, path: str | None = None) -> Mapping[str, Any]:
    found = document.get(key, {})
    if not isinstance(found, dict):
        raise ProjectTomlError(f"{FILE}: {path or key} is not a table.")
    return found


def _declared(table: Mapping[str, Any], path: str, key: str) -> tuple[Declared, ...]:
    found = []
    for number, entry in enumerate(_list(table.get(key, ()), path)):
        where = f"{path}[{number}]"
        if not isinstance(entry, dict):
            raise ProjectTomlError(f"{FILE}: {where} is not a table.")
        script = entry.get("script")
        if script is not None:
            script = _script(script, f"{where}.script")
        texts = {name: _text(entry, name, where) for name in ("id", "version", "uri")}
        one = Declared(**texts, script=script)
        if not (one.id or one.uri) or (one.uri and one.script):
            raise ProjectTomlError(
                f"{FILE}: {where} needs an `id` or a `uri`; a `script` needs an `id` and no `uri`."
            )
        found.append(one)
    return tuple(found)


def _script(script: object, where: str) -> dict[str, str]:
    if not isinstance(script, dict) or not isinstance(script.get("inline"), str):
        raise ProjectTomlError(f"{FILE}: {where} needs `inline`, the text of the script.")
    found = {name: _text(script, name, where) for name in ("api", "inline", "shell")}
    return {name: value for name, value in found.items() if value is not None}


def _text(entry: Mapping[str, Any], name: str, where: str) -> str | None:
    value = entry.get(name)
    if value is not None and not isinstance(value, str):
        raise ProjectTomlError(f"{FILE}: {where}.{name} is not a string.")
    return value


def _env(entries: object, path: str) -> dict[str, str]:
    env: dict[str, str] = {}
    for number, entry in enumerate(_list(entries, path)):
        name = entry.get("name") if isinstance(entry, dict) else None
        value = entry.get("value") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not isinstance(value, str) or not _NAME.fullmatch(name):
            raise ProjectTomlError(
                f"{FILE}: {path}[{number}] needs a `name` and a `value`, both strings."
            )
        env[name] = value
    return env


def _files(table: Mapping[str, Any], path: str) -> dict[str, tuple[str, ...]]:
    """`include` and `exclude`, which are patterns of gitignore(5); only one of them may stand."""
    found: dict[str, tuple[str, ...]] = {}
    for key in ("include", "exclude"):
        if key in table:
            patterns = _list(table[key], f"{path}.{key}")
            if not all(isinstance(pattern, str) for pattern in patterns):
                raise ProjectTomlError(f"{FILE}: {path}.{key} is not a list of strings.")
            found[key] = tuple(patterns)
    if len(found) == 2:
        raise ProjectTomlError(f"{FILE}: {path} has both `include` and `exclude`.", "Keep one.")
    return found


def _list(value: object, path: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise ProjectTomlError(f"{FILE}: {path} is not a list.")
    return value
