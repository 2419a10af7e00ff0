"""Which files of a source take part in a build: include and exclude of project.toml.

They are patterns of gitignore(5), so git itself matches them. It sees a bare repository of ours and
the files as a work tree; no configuration and no .gitignore of anybody else counts.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence

from hythe.build.workspace import Workspace
from hythe.errors import BuildError

GIT_SECONDS = 60


def select(
    workspace: Workspace, include: Sequence[str] | None, exclude: Sequence[str] | None
) -> None:
    """Delete what is excluded, or what is not included; raises BuildError if nothing is left."""
    repository = workspace.folder / "selection.git"
    try:
        _git(workspace, "init", "--quiet", "--bare", "--template=", str(repository))
        wanted = [f"--git-dir={repository}", f"--work-tree={workspace.app}"]
        patterns = [f"--exclude={pattern}" for pattern in include or exclude or ()]
        everything = _list(workspace, *wanted, "ls-files", "-z", "--others")
        listed = ["ls-files", "-z", "--others", "--ignored", *patterns]
        matching = _list(workspace, *wanted, *listed) if patterns else set()
    finally:
        shutil.rmtree(repository, ignore_errors=True)
    gone = everything - matching if include is not None else matching
    if everything and gone == everything:
        raise BuildError(
            "project.toml leaves no file of the source for the build.",
            "Correct its `include` or `exclude`; they are patterns as in .gitignore.",
        )
    for path in gone:
        (workspace.app / path).unlink(missing_ok=True)
    for folder, _folders, _files in os.walk(workspace.app, topdown=False):
        if folder != str(workspace.app) and not os.listdir(folder):  # noqa: PTH208 - a str walk
            os.rmdir(folder)  # noqa: PTH106


def _list(workspace: Workspace, *arguments: str) -> set[str]:
    return {path for path in _git(workspace, *arguments).split("\0") if path}


def _git(workspace: Workspace, *arguments: str) -> str:
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(workspace.folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        ["git", *arguments], cwd=workspace.app, env=env, capture_output=True, timeout=GIT_SECONDS
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[:200]
        raise BuildError(f"The files of project.toml cannot be selected: {said}")
    return os.fsdecode(done.stdout)
