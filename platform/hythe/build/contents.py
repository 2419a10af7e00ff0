"""What the layers of an app's image hold, as tars: launch layers, slices, the app."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from hythe.build.container import APP, CHOSEN, CLASSIC_APP, PLATFORM, SCRATCH, build_uid
from hythe.build.layers import require_image_files
from hythe.build.lifecycle import Built, Made
from hythe.build.profile import profile
from hythe.build.stack import LAUNCHER
from hythe.build.tarball import TarFile, link, tar_of, tar_of_parts, tar_of_tree
from hythe.build.workspace import Workspace

PROFILE = "/cnb/launch/profile.sh"
PROCESSES = "/cnb/process"
BUILD_ONLY = (PLATFORM, SCRATCH, CHOSEN)


def layer_tar(made: Made) -> Iterator[bytes]:
    """A launch layer, without a tar's end. Raises BuildError for what must not be in it."""
    require_image_files(made.layer.folder, f"{made.owner}/{made.layer.name}", BUILD_ONLY)
    yield from tar_of_tree(made.layer.folder, made.path, build_uid())


def slices(built: Built, workspace: Workspace) -> list[frozenset[str]]:
    """The paths of each slice of the app; a path is in the first slice that names it."""
    found: list[frozenset[str]] = []
    taken: set[str] = set()
    for patterns in built.launch.slices:
        paths = {path for pattern in patterns for path in _matching(workspace.app, pattern)}
        tops = {path for path in paths - taken if not _below(path, paths | taken)}
        if tops:
            found.append(frozenset(tops))
            taken |= tops
    return found


def slice_tar(workspace: Workspace, paths: frozenset[str]) -> Iterator[bytes]:
    yield from tar_of_parts(workspace.app, APP, build_uid(), paths)


def app_tar(
    built: Built, workspace: Workspace, in_slices: Sequence[frozenset[str]]
) -> Iterator[bytes]:
    """The whole tar of what is not in slices, and of what the launcher reads."""
    leave_out = frozenset(path for paths in in_slices for path in paths)
    yield from tar_of_tree(workspace.app, APP, build_uid(), leave_out)
    if built.launch.classic:
        yield link(CLASSIC_APP, APP)
    layers = ((made.path, made.layer) for made in built.launch_layers())
    files = [TarFile(PROFILE, profile(layers, built.launch).encode())]
    files += [
        TarFile(f"{PROCESSES}/{kind}", _program(kind, line, built.launch.bare[kind]), 0o755)
        for kind, line in sorted(built.launch.processes.items())
    ]
    yield from tar_of(files)


def _program(kind: str, line: str, bare: str) -> bytes:
    """/cnb/process/TYPE: starts a process by its name, with arguments of the user's."""
    return (
        "#!/bin/bash\n"
        f'export HYTHE_INSTANCE="${{HYTHE_INSTANCE:-{kind}.1}}"\n'
        f"line={shlex.quote(line)}\n"
        f"if [ $# -gt 0 ]; then line={shlex.quote(bare)}$(printf ' %q' \"$@\"); fi\n"
        f'exec {LAUNCHER} "$line"\n'
    ).encode()


def _matching(app: Path, pattern: str) -> Iterator[str]:
    """Paths below the app that match; nothing behind a link."""
    clean = pattern.removeprefix("./").strip("/")
    if not clean or ".." in clean.split("/"):
        return
    for path in app.glob(clean):
        parents = [each for each in path.parents if each.is_relative_to(app) and each != app]
        if not any(each.is_symlink() for each in parents):
            yield str(path.relative_to(app))


def _below(path: str, others: set[str]) -> bool:
    parts = path.split("/")
    return any("/".join(parts[:depth]) in others for depth in range(1, len(parts)))
