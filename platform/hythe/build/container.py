"""The build container: where buildpacks run, once, jailed, on folders of the host."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hythe.build.agent import SOCKET, Agent
from hythe.build.buildpack import MOUNTED
from hythe.build.clock import Clock, program
from hythe.build.operator import Registries
from hythe.build.stack import USER_ID
from hythe.build.workspace import Workspace
from hythe.engine.port import ContainerSpec, Engine, Exit, Limits, Mount
from hythe.errors import BuildOutput
from hythe.names import LABEL_APP, LABEL_BUILD, LABEL_KIND, Names
from hythe.settings import Settings
from hythe.suite import Suite

HOME = "/home/app"
LARGEST_ANSWER = 1 << 20  # characters that bin/detect may print
APP, LAYERS, PLATFORM, SCRATCH = "/workspace", "/layers", "/platform", "/cnb/scratch"
AGENT = ("/usr/bin/python3", "-IS", f"{MOUNTED}/stack/agent.py", f"{SCRATCH}/{SOCKET}")
CLASSIC_APP = "/app"  # the same folder as APP, where classic buildpacks want it
CHOSEN = "/cnb/chosen"  # buildpacks of this build alone


@dataclass(frozen=True, slots=True)
class BuildContainer:
    """A running build container; programs in it run as the build's user."""

    engine: Engine
    id: str
    clock: Clock
    suite: Suite
    agent: Agent

    def run(self, command: Sequence[str], env: Mapping[str, str]) -> Exit:
        """Run a program that says little; raises BuildOutput when it does not."""
        kept: list[str] = []
        left, name = LARGEST_ANSWER, program(command) or command[0]

        def keep(text: str) -> None:
            nonlocal left
            kept.append(text)
            left -= len(text) + 1
            if left < 0:
                raise BuildOutput(f"{name} printed more than {LARGEST_ANSWER >> 10} KiB.")

        return Exit(self.stream(command, env, keep), "\n".join(kept))

    def stream(
        self, command: Sequence[str], env: Mapping[str, str], line: Callable[[str], None]
    ) -> int:
        """Run a program, hand over each line as it comes, return the exit code."""
        with self.clock.program(command):
            return self.agent.run(command, env, APP, line)

    def freeze(self) -> None:
        """Stop everything in it for good, so that the host can read what it wrote.

        Frozen and not killed, since a push waits for it: 0.02 s instead of 0.1 s.
        """
        self.engine.instances.pause(self.id)


def build_user() -> str:
    """The numeric user of builds: the stack's when we may give files away, else our own."""
    return f"{build_uid()}:{build_uid()}" if os.geteuid() == 0 else f"{os.geteuid()}:{os.getegid()}"


def build_uid() -> int:
    return USER_ID if os.geteuid() == 0 else os.geteuid()


def labels(names: Names, app_id: int, build_id: int) -> dict[str, str]:
    """What every container of a build carries; the supervisor removes by them."""
    return {**names.labels, LABEL_KIND: "build", LABEL_APP: str(app_id), LABEL_BUILD: str(build_id)}


def start(engine: Engine, spec: ContainerSpec) -> str:
    """The container of a spec, started; returns its id. The supervisor removes it by its labels."""
    container = engine.instances.create(spec)
    engine.instances.start(container.id)
    return container.id


def spec(
    settings: Settings,
    workspace: Workspace,
    registries: Registries,
    *,
    name: str,
    image: str,
    labels: Mapping[str, str],
    network: str,
    buildpacks: Mount,
    seconds: str,
) -> ContainerSpec:
    """A build container. It ends unless it is reached within so many seconds ("infinity": never).

    It ends with its connection, too: a build's process that was killed leaves nothing running.
    """
    return ContainerSpec(
        name=name,
        image=image,
        entrypoint=(),
        command=(*AGENT, seconds),
        env=registries.env,
        labels=labels,
        user=build_user(),
        workdir=APP,
        network=network,
        mounts=(
            Mount(workspace.app, APP),
            Mount(workspace.layers, LAYERS),
            Mount(workspace.platform, PLATFORM, read_only=True),
            Mount(workspace.scratch, SCRATCH),
            Mount(workspace.app, CLASSIC_APP),
            Mount(workspace.buildpacks, CHOSEN),
            Mount(workspace.home, HOME),
            Mount(workspace.temporary, "/tmp"),
            Mount(workspace.temporary, "/var/tmp"),
            buildpacks,
            *registries.mounts,
        ),
        limits=Limits(settings.build_memory, settings.build_cpus, settings.build_pids),
        init=True,
        weight=settings.build_weight,
        sealed=True,
    )
