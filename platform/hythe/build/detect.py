"""The detect phase: which group of buildpacks builds this app."""

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tomli_w

from hythe.build import classic
from hythe.build import env as environment
from hythe.build.buildpack import ARCHITECTURE, DISTRO, Buildpack, Catalog, Member
from hythe.build.container import APP, LAYERS, PLATFORM, SCRATCH, BuildContainer
from hythe.build.layers import read_files, read_inside, read_toml, write_inside
from hythe.build.plan import Detected, Offer, Plan, Require, explain, resolve
from hythe.build.stack import PATH
from hythe.build.workspace import Workspace
from hythe.engine.port import Exit
from hythe.errors import BuildError, NoBuildpack
from hythe.suite import Suite

PASS, FAIL = 0, 100
DETECT_SECONDS = 120  # of one bin/detect
SAID = 4096  # bytes of its output that are kept
MOST_BLOCKS = 200_000  # of 512 bytes, of a file that it writes
TIMED_OUT, KILLED = 124, 137  # exit codes of timeout(1): its limit was reached; by SIGKILL


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
    _ends: dict[str, Exit] = field(default_factory=dict)  # of those that ran, together with others
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
        self._detect_together([member.buildpack for member in members])
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

    def _detect_together(self, buildpacks: Sequence[Buildpack]) -> None:
        """Run what is new in a group at once: starting a program in a container takes as long.

        Those with `clear-env` or without a plan run on their own.
        """
        new = [
            each
            for each in buildpacks
            if each.key not in self._ends and not each.classic and not each.clear_env
        ]
        if len(new) < 2:
            return
        envs = [self._env(each) for each in new]
        common = {k: v for k, v in envs[0].items() if all(env.get(k) == v for env in envs)}
        lines = [f"ulimit -f {MOST_BLOCKS}"]
        for each, env in zip(new, envs, strict=True):
            own = [f"{key}={value}" for key, value in env.items() if key not in common]
            said = f"{SCRATCH}/{each.escaped}.said"
            command = shlex.join(["env", *own, *self._command(each)])
            lines.append(
                f"{{ {command} >{said} 2>&1; echo $? >{said}.code;"
                f" tail -c {SAID} {said} >{said}.end; }} </dev/null &"
            )
        self.container.run(["/bin/sh", "-c", "\n".join([*lines, "wait"])], common)
        for each in new:
            code = self._said_by(each, "code").strip()
            ended = int(code) if code.isdecimal() else KILLED
            self._ends[each.key] = Exit(ended, self._said_by(each, "end"))

    def _said_by(self, buildpack: Buildpack, kind: str) -> str:
        try:
            name = f"{buildpack.escaped}.said.{kind}"
            return read_inside(self.workspace.scratch, name, SAID).decode(errors="replace")
        except FileNotFoundError:
            return ""

    def _detect(self, buildpack: Buildpack) -> tuple[Offer, ...] | None:
        if buildpack.key not in self._offers:
            run = self._run_classic if buildpack.classic else self._run
            self._offers[buildpack.key] = run(buildpack)
        return self._offers[buildpack.key]

    def _run(self, buildpack: Buildpack) -> tuple[Offer, ...] | None:
        done = self._ends.get(buildpack.key)
        if done is None:
            done = self.container.run(self._command(buildpack), self._env(buildpack))
        _require_end(done, buildpack)
        if done.code == FAIL:
            self._said[buildpack.key] = " ".join(done.output.split())
            return None
        if done.code != PASS:
            raise BuildError(
                f"Detection by {buildpack.id} broke (exit code {done.code}): "
                f"{done.output[-300:].strip()}",
                "Report this to the buildpack's authors.",
            )
        return offers(read_toml(self.workspace.scratch, _plan_file(buildpack)))

    def _command(self, buildpack: Buildpack) -> list[str]:
        """bin/detect, which is ended when it hangs; its plan file is there, empty."""
        write_inside(self.workspace.scratch, _plan_file(buildpack), "", 0o666)
        plan = f"{SCRATCH}/{_plan_file(buildpack)}"
        return [*_limit(), f"{buildpack.mounted}/bin/detect", PLATFORM, plan]

    def _env(self, buildpack: Buildpack) -> dict[str, str]:
        plan = f"{SCRATCH}/{_plan_file(buildpack)}"
        env = base_env(buildpack, self.workspace, self.container.suite)
        return env | {"CNB_BUILD_PLAN_PATH": plan}

    def _run_classic(self, buildpack: Buildpack) -> tuple[Offer, ...] | None:
        """A classic one has no plan; any exit code but 0 says no."""
        env = classic.base_env(self.workspace, self.build_id, self.container.suite)
        done = self.container.run([*_limit(), *classic.detect_command(buildpack)], env)
        _require_end(done, buildpack)
        said = classic.detect_errors(buildpack, self.workspace)
        if done.code != PASS:
            self._said[buildpack.key] = " ".join((said or done.output).split())[-500:]
            return None
        named = done.output.strip().splitlines()[:1]
        self.say(f"{named[0][:100]} app detected" if named else f"{buildpack.id} detected")
        return (Offer(),)


def _plan_file(buildpack: Buildpack) -> str:
    return f"{buildpack.escaped}.detect.toml"


def _limit() -> list[str]:
    return ["timeout", "--kill-after=5", str(DETECT_SECONDS)]


def _require_end(done: Exit, buildpack: Buildpack) -> None:
    if done.code == TIMED_OUT:
        raise BuildError(
            f"Detection by {buildpack.id} did not end within {DETECT_SECONDS} s.",
            "Choose another buildpack, or report this to its authors.",
        )
    if done.code == KILLED:
        raise BuildError(
            f"Detection by {buildpack.id} was killed: it hung, or took more memory than it may.",
            "Choose another buildpack, or raise HYTHE_BUILD_MEMORY.",
        )


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


def base_env(buildpack: Buildpack, workspace: Workspace, suite: Suite) -> dict[str, str]:
    """The environment that both phases give a buildpack, the platform's env files applied."""
    env = {
        "PATH": PATH,
        "HOME": "/home/app" if os.geteuid() == 0 else "/tmp",
        "CNB_STACK_ID": suite.stack_id,
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
            "CNB_TARGET_DISTRO_NAME": DISTRO,
            "CNB_TARGET_DISTRO_VERSION": suite.version,
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
