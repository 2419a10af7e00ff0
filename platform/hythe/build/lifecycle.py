"""The build phase: bin/build or bin/compile of each buildpack of the group, and what they leave."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hythe.build import classic
from hythe.build import env as environment
from hythe.build.buildpack import Buildpack
from hythe.build.container import LAYERS, PLATFORM, SCRATCH, BuildContainer, build_uid
from hythe.build.detect import Group, base_env, plan_toml
from hythe.build.launch import Launch
from hythe.build.layers import Layer, collect, read_toml, write_inside
from hythe.build.output import Output
from hythe.build.workspace import Workspace, give
from hythe.errors import BuildError


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A layer, and the buildpack that made it."""

    owner: str  # its folder of layers: the buildpack's id, escaped
    layer: Layer

    @property
    def path(self) -> str:
        """Its folder in the build container and in the image."""
        return f"{LAYERS}/{self.owner}/{self.layer.name}"


@dataclass(slots=True)
class Built:
    """What a group of buildpacks made of an app."""

    buildpacks: tuple[Buildpack, ...]
    layers: list[Made] = field(default_factory=list)
    launch: Launch = field(default_factory=Launch)
    stores: dict[str, Any] = field(default_factory=dict)  # metadata of store.toml, by owner

    def launch_layers(self) -> Iterator[Made]:
        return (each for each in self.layers if each.layer.launch)


@dataclass(slots=True)
class Builder:
    """Runs the buildpacks of a group, one after the other."""

    container: BuildContainer
    workspace: Workspace
    output: Output
    build_id: str
    kept: Path  # the launch layers of the last image, by buildpack
    _changes: list[Callable[[dict[str, str]], None]] = field(default_factory=list)
    """What earlier buildpacks do to the environment of later ones, in order."""

    def build(self, group: Group) -> Built:
        """Run them all; raises BuildError with the cause that one printed."""
        built = Built(group.buildpacks)
        plan = group.plan
        for buildpack in group.buildpacks:
            if buildpack.classic:
                self._compile(buildpack, built)
            else:
                unmet = self._build(buildpack, plan_toml(plan, buildpack), built)
                plan = plan.after(buildpack.key, unmet)
        if any(each.classic for each in group.buildpacks):
            built.layers.append(Made(classic.OWNER, classic.cache_layer(self.workspace)))
        return built

    def _build(self, buildpack: Buildpack, plan: str, built: Built) -> frozenset[str]:
        """bin/build; returns the names of the plan's entries that it left to others."""
        folder = self.workspace.layers / buildpack.escaped
        folder.mkdir(exist_ok=True)
        give(folder, build_uid())
        name = f"{buildpack.escaped}.plan.toml"
        write_inside(self.workspace.scratch, name, plan)
        env = base_env(buildpack, self.workspace, self.container.suite) | {
            "CNB_LAYERS_DIR": f"{LAYERS}/{buildpack.escaped}",
            "CNB_BP_PLAN_PATH": f"{SCRATCH}/{name}",
        }
        self._change(env)
        command = [
            f"{buildpack.mounted}/bin/build",
            env["CNB_LAYERS_DIR"],
            PLATFORM,
            env["CNB_BP_PLAN_PATH"],
        ]
        self._run(command, env, buildpack)
        found = collect(folder, self.kept / buildpack.escaped)
        made = [Made(buildpack.escaped, layer) for layer in found]
        built.layers.extend(made)
        self._changes.extend(_additions(each) for each in made if each.layer.build)
        built.launch.add(read_toml(folder, "launch.toml"), buildpack.api, buildpack.id)
        built.stores[buildpack.escaped] = read_toml(folder, "store.toml").get("metadata")
        return _unmet(folder, buildpack)

    def _compile(self, buildpack: Buildpack, built: Built) -> None:
        classic.cache_layer(self.workspace)
        env = classic.base_env(self.workspace, self.build_id, self.container.suite)
        self._change(env)
        self._run(classic.compile_command(buildpack), env, buildpack)
        exported = classic.exported(self.container, self.workspace, buildpack, env)
        if exported:
            self._changes.append(lambda env: env.update(exported))
        said = classic.release(self.container, buildpack, env)
        built.launch.add_classic(said.processes, said.env)

    def _run(self, command: list[str], env: dict[str, str], buildpack: Buildpack) -> None:
        code = self.container.stream(command, env, self.output.line)
        if code != 0:
            raise _failure(buildpack, code, self.output.take_warnings())
        self.output.flush()

    def _change(self, env: dict[str, str]) -> None:
        for change in self._changes:
            change(env)


def _additions(made: Made) -> Callable[[dict[str, str]], None]:
    """What a layer with `build` does to the environment of later buildpacks."""
    subfolders, layer = made.layer.subfolders(), made.layer
    general, of_build = layer.env_files("env"), layer.env_files("env.build")

    def change(env: dict[str, str]) -> None:
        environment.add_roots(env, made.path, subfolders)
        environment.apply(env, general)
        environment.apply(env, of_build)

    return change


def _unmet(folder: Path, buildpack: Buildpack) -> frozenset[str]:
    """What build.toml says it left to the buildpacks after it."""
    try:
        entries = read_toml(folder, "build.toml").get("unmet", ())
        return frozenset(entry["name"] for entry in entries)
    except (KeyError, TypeError):
        raise BuildError(
            f"build.toml of {buildpack.id} has an [[unmet]] without a name.",
            "Report this to the buildpack's authors.",
        ) from None


def _failure(buildpack: Buildpack, code: int, warnings: list[str]) -> BuildError:
    if code == 137:
        return BuildError(
            f"The build was killed while {buildpack.id} ran: it needs more memory than it may use.",
            "Raise HYTHE_BUILD_MEMORY, or make the build need less.",
        )
    if code in (126, 127) and not warnings:
        return BuildError(
            f"{buildpack.id} cannot be run (exit code {code}): a program that it starts is not"
            " there.",
            "Read the lines above; the build image may lack what its first line names.",
        )
    cause, *fix = warnings or [f"{buildpack.id} ended with exit code {code}."]
    return BuildError(cause, " ".join(fix) or None)
