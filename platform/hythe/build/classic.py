"""Classic buildpacks (Heroku's Buildpack API), run by their own contract.

    bin/detect BUILD               exits with 0 and prints a name
    bin/compile BUILD CACHE ENV    ENV has a file for each config var
    bin/release BUILD              may print YAML: default_process_types, config_vars
    export                         if it is there: sourced before the next buildpack

BUILD is /app, and HOME; it is the same folder as the lifecycle's own, and the image has it at both
paths. CACHE is one folder for all classic buildpacks of an app. At launch .profile.d/*.sh is
sourced, in order, before the command.
"""

import shlex
from collections.abc import Mapping
from typing import Any

from hythe.build.buildpack import Buildpack
from hythe.build.container import CLASSIC_APP, LAYERS, PLATFORM, SCRATCH, BuildContainer
from hythe.build.container import build_uid as uid
from hythe.build.layers import Layer, read_inside
from hythe.build.stack import PATH
from hythe.build.workspace import Workspace, give
from hythe.errors import BuildError, InvalidName
from hythe.names import config_key, process_type
from hythe.suite import Suite

OWNER = "classic"  # of the layer that is the cache
CACHE = f"{LAYERS}/{OWNER}/cache"
LARGEST_RELEASE = 64 * 1024
LARGEST_ENV = 1 << 20
_PASSED_ON = ("PWD", "OLDPWD", "SHLVL", "_")  # a shell's own variables


def base_env(workspace: Workspace, build_id: str, suite: Suite) -> dict[str, str]:
    """What its programs see; of the config only STACK, if that is set."""
    env = {
        "PATH": PATH,
        "HOME": CLASSIC_APP,
        "STACK": suite.stack_id,
        "REQUEST_ID": build_id,
        "CNB_STACK_ID": suite.stack_id,
    }
    if (workspace.platform / "env" / "STACK").is_file():
        env["STACK"] = (workspace.platform / "env" / "STACK").read_text().strip()
    return env


def detect_command(buildpack: Buildpack) -> list[str]:
    """bin/detect; what it prints to stdout and to stderr is told apart by a file."""
    said = shlex.quote(f"{SCRATCH}/{buildpack.escaped}.stderr")
    return ["/bin/sh", "-c", f'exec "$0" "$1" 2>{said}', f"{buildpack.mounted}/bin/detect",
            CLASSIC_APP]  # fmt: skip


def detect_errors(buildpack: Buildpack, workspace: Workspace) -> str:
    """What bin/detect printed to stderr: there the best messages are."""
    try:
        data = read_inside(workspace.scratch, f"{buildpack.escaped}.stderr", LARGEST_RELEASE)
    except (FileNotFoundError, BuildError):
        return ""
    return data.decode(errors="replace")


def cache_layer(workspace: Workspace) -> Layer:
    """The cache as a layer, made if it was not restored."""
    folder = workspace.layers / OWNER / "cache"
    for each in (folder.parent, folder):
        if each.is_symlink() or not each.is_dir():
            each.unlink(missing_ok=True)  # what an earlier one left in its place
            each.mkdir()
            give(each, uid())
    return Layer("cache", folder, cache=True)


def compile_command(buildpack: Buildpack) -> list[str]:
    return [f"{buildpack.mounted}/bin/compile", CLASSIC_APP, CACHE, f"{PLATFORM}/env"]


def exported(
    container: BuildContainer, workspace: Workspace, buildpack: Buildpack, env: Mapping[str, str]
) -> dict[str, str]:
    """The environment after its `export` file was sourced; {} without one."""
    if not (buildpack.folder / "export").is_file():
        return {}
    name = f"{buildpack.escaped}.env"
    line = f'. "$0" >&2 && env -0 >{shlex.quote(f"{SCRATCH}/{name}")}'
    done = container.run(["/bin/bash", "-c", line, f"{buildpack.mounted}/export"], env)
    if done.code != 0:
        raise BuildError(
            f"The `export` file of {buildpack.id} ended with exit code {done.code}:"
            f" {done.output[-300:].strip()}",
            "Report this to the buildpack's authors.",
        )
    data = read_inside(workspace.scratch, name, LARGEST_ENV).decode(errors="surrogateescape")
    pairs = (pair.partition("=") for pair in data.split("\0") if "=" in pair)
    return {
        key: value for key, _, value in pairs if key not in _PASSED_ON and env.get(key) != value
    }


def release(container: BuildContainer, buildpack: Buildpack, env: Mapping[str, str]) -> "Release":
    """What bin/release says; it need not be there."""
    if not (buildpack.folder / "bin" / "release").is_file():
        return Release()
    program = f"{buildpack.mounted}/bin/release"
    done = container.run(["/bin/sh", "-c", 'exec "$0" "$1" 2>/dev/null', program, CLASSIC_APP], env)
    if done.code != 0:
        raise BuildError(f"bin/release of {buildpack.id} ended with exit code {done.code}.")
    return Release.read(done.output, buildpack.id)


class Release:
    """Process types and config that a classic buildpack suggests."""

    def __init__(
        self, processes: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self.processes = dict(processes or {})
        self.env = dict(env or {})

    @classmethod
    def read(cls, text: str, shown: str) -> "Release":
        """Parse the YAML; raises BuildError."""
        import yaml  # late: the control plane, which builds are forked from, does without it

        try:
            document: Any = yaml.safe_load(text[:LARGEST_RELEASE]) or {}
            processes = document.get("default_process_types") or {}
            env = document.get("config_vars") or {}
            return cls(
                {process_type(str(kind)): str(line) for kind, line in processes.items()},
                {config_key(str(key)): str(value) for key, value in env.items()},
            )
        except (yaml.YAMLError, AttributeError, InvalidName, RecursionError) as error:
            raise BuildError(
                f"bin/release of {shown} printed what is not its YAML: {str(error)[:200]}",
                "Report this to the buildpack's authors.",
            ) from None
