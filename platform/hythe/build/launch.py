"""What happens at launch: process types of launch.toml, and the shell that sets variables."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hythe.build import env as environment
from hythe.build.layers import Layer
from hythe.errors import BuildError, InvalidName
from hythe.names import process_type

SHELLS = frozenset({"bash", "/bin/bash", "sh", "/bin/sh"})


def command_lines(document: Mapping[str, Any], api: tuple[int, int]) -> dict[str, str]:
    """The processes of a launch.toml: {type: command line for a shell}.

    From API 0.9 `command` is a list that runs without a shell; before, a string for one.
    """
    return {
        _type(process): _command_line(process, api) for process in document.get("processes", ())
    }


def _type(process: Mapping[str, Any]) -> str:
    try:
        return process_type(process["type"])
    except (KeyError, InvalidName):
        raise BuildError(
            f"A buildpack declares a process without a valid type: {process.get('type')!r}.",
            "Report this to its authors.",
        ) from None


def _command_line(process: Mapping[str, Any], api: tuple[int, int]) -> str:
    command, args = process["command"], list(process.get("args", ()))
    if api >= (0, 9) and "direct" in process:
        raise BuildError("A buildpack's launch.toml has `direct`.", "It is gone since API 0.9.")
    if isinstance(command, list):
        line = _plain(command + args)
    elif process.get("direct", False):
        line = shlex.join([command, *args])
    else:
        line = " ".join([command, *map(shlex.quote, args)])
    folder = process.get("working-dir")
    return f"cd {shlex.quote(folder)} && {line}" if folder else line


def _plain(command: list[str]) -> str:
    """`bash -c LINE` is LINE: the launcher runs a shell anyway."""
    if len(command) == 3 and command[0] in SHELLS and command[1] == "-c":
        return command[2]
    return shlex.join(command)


def profile(layers: Iterable[tuple[str, Layer]]) -> str:
    """The file that the launcher sources: what launch layers do to the environment.

    layers: each layer with its folder in the image, in the specification's order. The type of a
    process is HYTHE_INSTANCE without its index (`web` of `web.1`).
    """
    layers = list(layers)
    lines = ["# Rendered by the build; sourced by the launcher before the command."]
    scripts: list[str] = []
    for path, layer in layers:
        lines += environment.launch_roots(path, layer.subfolders())
        lines += environment.launch_lines(layer.env_files("env"))
        lines += environment.launch_lines(layer.env_files("env.launch"))
        lines += _for_types(layer)
        scripts += [f"{path}/profile.d/{name}" for name in layer.scripts("profile.d")]
    lines += [f". {shlex.quote(script)}" for script in scripts]
    lines.append("if [ -r /workspace/.profile ]; then . /workspace/.profile; fi")
    return "\n".join(lines) + "\n"


def _for_types(layer: Layer) -> Iterator[str]:
    for kind in sorted(layer.launch_types()):
        lines = list(environment.launch_lines(layer.env_files(f"env.launch/{kind}")))
        if lines:
            yield f'if [ "${{HYTHE_INSTANCE%.*}}" = {shlex.quote(kind)} ]; then'
            yield from lines
            yield "fi"
