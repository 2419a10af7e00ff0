"""The build phase: bin/build of each buildpack of the group, and what they leave."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hythe.build import env as environment
from hythe.build.buildpack import Buildpack
from hythe.build.container import LAYERS, PLATFORM, SCRATCH, BuildContainer, build_uid
from hythe.build.detect import Group, base_env, plan_toml
from hythe.build.launch import command_lines
from hythe.build.layers import Layer, collect, read_toml
from hythe.build.output import Output
from hythe.build.workspace import Workspace, give
from hythe.errors import BuildError


@dataclass(frozen=True, slots=True)
class Made:
    """A layer, and the buildpack that made it."""

    buildpack: Buildpack
    layer: Layer

    @property
    def path(self) -> str:
        """Its folder in the build container and in the image."""
        return f"{LAYERS}/{self.buildpack.escaped}/{self.layer.name}"


@dataclass(frozen=True, slots=True)
class Built:
    """What a group of buildpacks made of an app."""

    layers: tuple[Made, ...]
    processes: dict[str, str]  # type -> command line, as launch.toml of the buildpacks has them


def build(container: BuildContainer, workspace: Workspace, group: Group, output: Output) -> Built:
    """Run bin/build of each buildpack; raises BuildError with the cause that it printed."""
    plan = group.plan
    made: list[Made] = []
    processes: dict[str, str] = {}
    for buildpack in group.buildpacks:
        folder = workspace.layers / buildpack.escaped
        folder.mkdir(exist_ok=True)
        give(folder, build_uid())
        name = f"{buildpack.escaped}.plan.toml"
        (workspace.scratch / name).write_text(plan_toml(plan, buildpack))
        env = base_env(buildpack, workspace) | {
            "CNB_LAYERS_DIR": f"{LAYERS}/{buildpack.escaped}",
            "CNB_BP_PLAN_PATH": f"{SCRATCH}/{name}",
        }
        _add_build_layers(env, made)
        command = [
            f"{buildpack.mounted}/bin/build",
            env["CNB_LAYERS_DIR"],
            PLATFORM,
            env["CNB_BP_PLAN_PATH"],
        ]
        code = container.stream(command, env, output.line)
        if code != 0:
            raise _failure(buildpack, code, output.take_warnings())
        output.flush()
        made.extend(Made(buildpack, layer) for layer in collect(folder))
        processes |= command_lines(read_toml(folder, "launch.toml"), buildpack.api)
        unmet = read_toml(folder, "build.toml").get("unmet", ())
        plan = plan.after(buildpack.key, frozenset(entry["name"] for entry in unmet))
    return Built(tuple(made), processes)


def _add_build_layers(env: dict[str, str], made: Sequence[Made]) -> None:
    """What the layers of earlier buildpacks do to the environment."""
    for each in made:
        if each.layer.build:
            environment.add_roots(env, each.path, each.layer.subfolders())
            environment.apply(env, each.layer.env_files("env"))
            environment.apply(env, each.layer.env_files("env.build"))


def _failure(buildpack: Buildpack, code: int, warnings: list[str]) -> BuildError:
    if code == 137:
        return BuildError(
            f"The build was killed while {buildpack.id} ran: it needs more memory than it may use.",
            "Raise HYTHE_BUILD_MEMORY, or make the build need less.",
        )
    cause, *fix = warnings or [f"{buildpack.id} ended with exit code {code}."]
    return BuildError(cause, " ".join(fix) or None)


def launch_layers(made: Sequence[Made]) -> Iterator[Made]:
    return (each for each in made if each.layer.launch)
