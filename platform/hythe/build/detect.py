"""The detect phase: which group of buildpacks builds this app."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import tomli_w

from hythe.build import env as environment
from hythe.build.buildpack import Buildpack, Catalog, Member
from hythe.build.container import APP, LAYERS, PLATFORM, SCRATCH, BuildContainer
from hythe.build.layers import read_files, read_toml
from hythe.build.plan import Detected, Offer, Plan, Require, resolve
from hythe.build.stack import PATH, STACK_ID
from hythe.build.workspace import Workspace
from hythe.errors import BuildError, NoBuildpack

PASS, FAIL = 0, 100
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Group:
    """The buildpacks that take part, in order, and their plan."""

    buildpacks: tuple[Buildpack, ...]
    plan: Plan


@dataclass(slots=True)
class Detector:
    """Runs bin/detect of each buildpack at most once."""

    container: BuildContainer
    workspace: Workspace
    _offers: dict[str, tuple[Offer, ...] | None] = field(default_factory=dict)  # None: it failed
    _said: dict[str, str] = field(default_factory=dict)  # what a failing one printed

    def choose(self, catalog: Catalog) -> Group:
        """The first group of the order that passes; raises NoBuildpack."""
        for members in catalog.groups():
            group = self._try(members)
            if group is not None:
                return group
        said = [f"{key.partition('@')[0]}: {text}" for key, text in self._said.items() if text]
        raise NoBuildpack(
            "No buildpack recognises this app. " + " ".join(said),
            "Add one of the files that were looked for, or a Dockerfile, at the source's root.",
        )

    def _try(self, members: tuple[Member, ...]) -> Group | None:
        passed: list[Detected] = []
        for member in members:
            offers = self._detect(member.buildpack)
            if offers is not None:
                passed.append(Detected(member.buildpack.key, member.optional, offers))
            elif not member.optional:
                return None
        plan = resolve(passed)
        if plan is None:
            return None
        by_key = {member.buildpack.key: member.buildpack for member in members}
        return Group(tuple(by_key[key] for key in plan.keys), plan)

    def _detect(self, buildpack: Buildpack) -> tuple[Offer, ...] | None:
        if buildpack.key not in self._offers:
            self._offers[buildpack.key] = self._run(buildpack)
        return self._offers[buildpack.key]

    def _run(self, buildpack: Buildpack) -> tuple[Offer, ...] | None:
        name = f"{buildpack.escaped}.detect.toml"
        (self.workspace.scratch / name).touch()
        (self.workspace.scratch / name).chmod(0o666)
        plan = f"{SCRATCH}/{name}"
        env = base_env(buildpack, self.workspace) | {"CNB_BUILD_PLAN_PATH": plan}
        done = self.container.run([f"{buildpack.mounted}/bin/detect", PLATFORM, plan], env)
        if done.code == FAIL:
            self._said[buildpack.key] = " ".join(done.output.split())
            return None
        if done.code != PASS:
            raise BuildError(
                f"Detection by {buildpack.id} broke (exit code {done.code}): "
                f"{done.output[-300:].strip()}",
                "Report this to the buildpack's authors.",
            )
        return offers(read_toml(self.workspace.scratch, name))


def offers(document: Mapping[str, Any]) -> tuple[Offer, ...]:
    """The alternatives of a build plan file: its top level, then each `or`."""
    return tuple(_offer(part) for part in (document, *document.get("or", ())))


def _offer(part: Mapping[str, Any]) -> Offer:
    requires = part.get("requires", ())
    if any("version" in require for require in requires):
        raise BuildError(
            "A buildpack requires a `version` at the top level of its plan.",
            "It must write it in [requires.metadata]: report this to its authors.",
        )
    return Offer(
        tuple(provide["name"] for provide in part.get("provides", ())),
        tuple(Require(require["name"], require.get("metadata", {})) for require in requires),
    )


def base_env(buildpack: Buildpack, workspace: Workspace) -> dict[str, str]:
    """The environment that both phases give a buildpack, the platform's env files applied."""
    env = {
        "PATH": PATH,
        "HOME": "/home/app" if os.geteuid() == 0 else "/tmp",
        "CNB_STACK_ID": STACK_ID,
        "CNB_BUILDPACK_DIR": buildpack.mounted,
        "CNB_APP_DIR": APP,
        "CNB_LAYERS_DIR": LAYERS,
    }
    if buildpack.api >= (0, 8):
        env["CNB_PLATFORM_DIR"] = PLATFORM
    if buildpack.api >= (0, 10):
        env |= {
            "CNB_TARGET_OS": "linux",
            "CNB_TARGET_ARCH": ARCHITECTURES.get(platform.machine(), platform.machine()),
            "CNB_TARGET_DISTRO_NAME": "debian",
            "CNB_TARGET_DISTRO_VERSION": "12",
        }
    if buildpack.api >= (0, 12):
        env["CNB_EXEC_ENV"] = "production"
    environment.apply_platform(env, read_files(workspace.platform, "env"))
    return env


def plan_toml(plan: Plan, buildpack: Buildpack) -> str:
    """The buildpack plan: what bin/build is asked for."""
    entries = [
        {"name": require.name, "metadata": dict(require.metadata)}
        for require in plan.asked_of(buildpack.key)
    ]
    return tomli_w.dumps({"entries": entries})
