"""What layers do to the environment (pure): at build time on a mapping, at launch as shell.

The rules of the buildpack specification for env files: the variable is the file's name before the
first dot; the content counts verbatim. No suffix and `.override` set, `.default` sets what is
empty, `.append` and `.prepend` join with the content of `.delim` of the same folder, or with
nothing.
"""

import shlex
from collections.abc import Iterator, Mapping

Env = dict[str, str]
Files = Mapping[str, str]  # file name -> content

# Folders of a layer that extend path variables, by phase.
BUILD_ROOTS = (
    ("bin", "PATH"),
    ("lib", "LD_LIBRARY_PATH"),
    ("lib", "LIBRARY_PATH"),
    ("include", "CPATH"),
    ("pkgconfig", "PKG_CONFIG_PATH"),
)
LAUNCH_ROOTS = (("bin", "PATH"), ("lib", "LD_LIBRARY_PATH"))
PATH_VARIABLES = frozenset(variable for _folder, variable in BUILD_ROOTS)


def apply(env: Env, files: Files) -> None:
    """Apply one folder of env files, in the order of their names."""
    for name, action, value, delimiter in _actions(files):
        old = env.get(name, "")
        joint = delimiter if old else ""
        match action:
            case "override":
                env[name] = value
            case "default":
                env[name] = old or value
            case "append":
                env[name] = old + joint + value
            case "prepend":
                env[name] = value + joint + old


def apply_platform(env: Env, files: Files) -> None:
    """Apply a platform's env folder: path variables are extended in front, others set."""
    for name, value in sorted(files.items()):
        old = env.get(name, "")
        env[name] = f"{value}:{old}" if name in PATH_VARIABLES and old else value


def add_roots(env: Env, layer: str, folders: frozenset[str]) -> None:
    """Put a layer's own bin, lib, ... in front of the path variables, for a build."""
    for folder, variable in BUILD_ROOTS:
        if folder in folders:
            old = env.get(variable, "")
            env[variable] = f"{layer}/{folder}" + (f":{old}" if old else "")


def launch_roots(layer: str, folders: frozenset[str]) -> Iterator[str]:
    """The same for the launch environment, as lines of shell."""
    for folder, variable in LAUNCH_ROOTS:
        if folder in folders:
            yield _join_shell(variable, f"{layer}/{folder}", ":", in_front=True)


def launch_lines(files: Files) -> Iterator[str]:
    """One folder of env files, as lines of shell that do what `apply` does."""
    for name, action, value, delimiter in _actions(files):
        match action:
            case "override":
                yield f"export {name}={shlex.quote(value)}"
            case "default":
                yield f'[ -n "${{{name}:-}}" ] || export {name}={shlex.quote(value)}'
            case "append" | "prepend":
                yield _join_shell(name, value, delimiter, in_front=action == "prepend")


def _join_shell(name: str, value: str, delimiter: str, *, in_front: bool) -> str:
    """`${NAME:+x}` is x only where NAME is not empty: a delimiter stands between two values."""
    old, value = f'"${{{name}:-}}"', shlex.quote(value)
    joint = f"${{{name}:+{shlex.quote(delimiter)}}}" if delimiter else ""
    return f"export {name}=" + (f"{value}{joint}{old}" if in_front else f"{old}{joint}{value}")


def _actions(files: Files) -> Iterator[tuple[str, str, str, str]]:
    """(variable, action, value, delimiter), in the order of the file names."""
    for file, value in sorted(files.items()):
        name, _dot, action = file.partition(".")
        if name and action in ("", "override", "default", "append", "prepend"):
            yield name, action or "override", value, files.get(f"{name}.delim", "")
