"""The file that the launcher sources: what layers do to the environment of processes."""

import shlex
from collections.abc import Iterable, Iterator

from hythe.build import env as environment
from hythe.build.container import APP, CLASSIC_APP
from hythe.build.launch import Launch
from hythe.build.layers import Layer

# Runs a program of exec.d and prints what it wrote to fd 3, TOML of strings, as shell.
_EXEC_D = """\
_hythe_exec_d() {
  eval "$(python3 -c 'import os, shlex, subprocess, sys, tomllib
read, write = os.pipe()
line = f"exec \\"$0\\" 3>&{write}"
child = subprocess.Popen(["sh", "-c", line, sys.argv[1]], pass_fds=(write,), stdout=sys.stderr)
os.close(write)
with open(read, "rb") as file: said = file.read()
if child.wait(): sys.exit(f"{sys.argv[1]} failed")
for name, value in tomllib.loads(said.decode()).items():
    if not name.isidentifier(): sys.exit(f"{sys.argv[1]}: bad name {name}")
    print(f"export {name}={shlex.quote(value)}")' "$1" || echo exit 1)"
}
"""


def profile(layers: Iterable[tuple[str, Layer]], launch: Launch) -> str:
    """The text of the file.

    layers: each launch layer with its folder in the image, in the specification's order. The type
    of a process is HYTHE_INSTANCE without its index (`web` of `web.1`).
    """
    layers = list(layers)
    lines = ["# Rendered by the build; sourced by the launcher before the command."]
    programs: list[str] = []
    scripts: list[str] = []
    for path, layer in layers:
        lines += environment.launch_roots(path, layer.subfolders())
        lines += environment.launch_lines(layer.env_files("env"))
        lines += environment.launch_lines(layer.env_files("env.launch"))
        for kind in layer.folders("env.launch"):
            files = layer.env_files(f"env.launch/{kind}")
            lines += _for_type(kind, list(environment.launch_lines(files)))
        programs += _in_folder(path, layer, "exec.d", "_hythe_exec_d ")
        scripts += _in_folder(path, layer, "profile.d", ". ")
    if programs:
        lines += [_EXEC_D.rstrip(), *programs]
    lines += scripts
    folder = APP
    if launch.classic:
        folder = CLASSIC_APP
        lines += _classic(launch)
    lines.append(f"if [ -r {folder}/.profile ]; then . {folder}/.profile; fi")
    return "\n".join(lines) + "\n"


def _in_folder(path: str, layer: Layer, folder: str, command: str) -> Iterator[str]:
    """The files of a folder, then those of its folder for the type of the process."""
    for name in layer.files(folder):
        yield command + shlex.quote(f"{path}/{folder}/{name}")
    for kind in layer.folders(folder):
        inner = f"{folder}/{kind}"
        files = [command + shlex.quote(f"{path}/{inner}/{name}") for name in layer.files(inner)]
        yield from _for_type(kind, files)


def _for_type(kind: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f'if [ "${{HYTHE_INSTANCE%.*}}" = {shlex.quote(kind)} ]; then'
        yield from lines
        yield "fi"


def _classic(launch: Launch) -> Iterator[str]:
    """What classic buildpacks expect at launch: HOME and the folder, then .profile.d in order."""
    yield f"export HOME={CLASSIC_APP}"
    yield f'if [ "$PWD" = {APP} ]; then cd {CLASSIC_APP}; fi'
    for name, value in sorted(launch.env.items()):
        yield f'[ -n "${{{name}:-}}" ] || export {name}={shlex.quote(value)}'
    yield f"for _script in {CLASSIC_APP}/.profile.d/*.sh; do"
    yield '  if [ -r "$_script" ]; then . "$_script"; fi'
    yield "done"
    yield "unset _script"
