"""The detect phase: which group of buildpacks builds this app."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tomli_w

from hythe.build import classic
from hythe.build import env as environment
from hythe.build.buildpack import ARCHITECTURE, DISTRO, Buildpack, Catalog, Member
from hythe.build.container import APP, LAYERS, PLATFORM, SCRATCH, BuildContainer
from hythe.build.layers import read_files, read_toml, write_inside
from hythe.build.plan import Detected, Offer, Plan, Require, explain, resolve
from hythe.build.stack import PATH, STACK_ID
from hythe.build.workspace import Workspace
from hythe.engine.port import Exit
from hythe.errors import BuildError, NoBuildpack

PASS, FAIL = 0, 100
DETECT_SECONDS = 120  # of one bin/detect
TIMED_OUT = (124, 137)  # exit codes of timeout(1), whose limit was reached


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
    say: Callable[[str], None]
    chosen: bool = False  # the group was named, not found
    build_id: str = ""
    _offers: dict[str, tuple[Offer, ...] | None] = field(default_factory=dict)  # None: it failed
    _said: dict[str, str] = field(default_factory=dict)  # what a failing one printed
    _unmet: str = ""  # why the plan of a group that passed could not be met

    def choose(self, catalog: Catalog) -> Group:
        """The first group of the order that passes; raises NoBuildpack."""
        for members in catalog.groups():
            group = self._try(members)
            if group is not None:
                return group
        said = [f"{key.partition('@')[0]}: {text}" for key, text in self._said.items() if text]
        if self.chosen:
            raise NoBuildpack(
                " ".join(["The chosen buildpacks do not build this app.", *said, self._unmet]),
                "Choose others: `hythe buildpacks`, or `buildpacks` of project.toml or app.json.",
            )
        raise NoBuildpack(
            " ".join(["No buildpack recognises this app.", *said, self._unmet]).strip(),
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
            self._unmet = explain(passed)
            return None
        by_key = {member.buildpack.key: member.buildpack for member in members}
        return Group(tuple(by_key[key] for key in plan.keys), plan)

    def _detect(self, buildpack: Buildpack) -> tuple[Offer, ...] | None:
        if buildpack.key not in self._offers:
            self._offers[buildpack.key] = self._run(buildpack)
        return self._offers[buildpack.key]

    def _run(self, buildpack: Buildpack) -> tuple[Offer, ...] | None:
        if buildpack.classic:
            return self._run_classic(buildpack)
        name = f"{buildpack.escaped}.detect.toml"
        write_inside(self.workspace.scratch, name, "", 0o666)
        plan = f"{SCRATCH}/{name}"
        env = base_env(buildpack, self.workspace) | {"CNB_BUILD_PLAN_PATH": plan}
        done = self._limited([f"{buildpack.mounted}/bin/detect", PLATFORM, plan], env, buildpack)
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

    def _run_classic(self, buildpack: Buildpack) -> tuple[Offer, ...] | None:
        """A classic one has no plan; any exit code but 0 says no."""
        env = classic.base_env(self.workspace, self.build_id)
        done = self._limited(classic.detect_command(buildpack), env, buildpack)
        said = classic.detect_errors(buildpack, self.workspace)
        if done.code != PASS:
            self._said[buildpack.key] = " ".join((said or done.output).split())[-500:]
            return None
        self.say(f"{done.output.strip().splitlines()[0][:100]} app detected"
                 if done.output.strip() else f"{buildpack.id} detected")  # fmt: skip
        return (Offer(),)

    def _limited(self, command: list[str], env: dict[str, str], buildpack: Buildpack) -> Exit:
        """Run bin/detect, which is ended when it hangs."""
        limit = ["timeout", "--kill-after=5", str(DETECT_SECONDS)]
        done = self.container.run([*limit, *command], env)
        if done.code in TIMED_OUT:
            raise BuildError(
                f"Detection by {buildpack.id} did not end within {DETECT_SECONDS} s.",
                "Choose another buildpack, or report this to its authors.",
            )
        return done


def offers(document: Mapping[str, Any]) -> tuple[Offer, ...]:
    """The alternatives of a build plan file: its top level, then each `or`."""
    try:
        return tuple(_offer(part) for part in (document, *document.get("or", ())))
    except (KeyError, TypeError, AttributeError):
        raise BuildError(
            "A buildpack's build plan has a provide or a require without a name.",
            "Report this to its authors.",
        ) from None


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
            "CNB_TARGET_ARCH": ARCHITECTURE,
            "CNB_TARGET_ARCH_VARIANT": "",
            "CNB_TARGET_DISTRO_NAME": DISTRO[0],
            "CNB_TARGET_DISTRO_VERSION": DISTRO[1],
        }
    if buildpack.api >= (0, 12):
        env["CNB_EXEC_ENV"] = "production"
    if not buildpack.clear_env:
        environment.apply_platform(env, read_files(workspace.platform, "env"))
    return env


def plan_toml(plan: Plan, buildpack: Buildpack) -> str:
    """The buildpack plan: what bin/build is asked for."""
    entries = [
        {"name": require.name, "metadata": dict(require.metadata)}
        for require in plan.asked_of(buildpack.key)
    ]
    return tomli_w.dumps({"entries": entries})
