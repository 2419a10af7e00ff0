"""The base images of each suite: what they are called, what they hold, and which the engine has.

They are made once a machine (stackmaker.py) and named by the digest of their recipe. Everything
that decides what they hold lies in buildpacks/stack/; see its README.
"""

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hythe import suite as suites
from hythe.build import share
from hythe.engine.port import Engine
from hythe.errors import BuildError
from hythe.settings import Settings
from hythe.suite import DEFAULT, Suite

PREFIX = "hythe-stack/"
REPLACED = f"{PREFIX}replaced:"  # what an update left, while something still uses it
FORMAT = "4"  # of the steps of stackmaker.py; part of the digest
LAUNCHER = "/cnb/lifecycle/launcher"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
USER, USER_ID = "app", 1000
LABEL_STACK = "io.hythe.stack"


@dataclass(frozen=True, slots=True)
class Stack:
    """The base images of a suite on the engine: reference and id of each."""

    suite: Suite
    run: str
    run_id: str
    build: str
    build_id: str

    @classmethod
    def read(cls, document: dict[str, Any]) -> "Stack":
        """What dataclasses.asdict made of one."""
        return cls(**document | {"suite": Suite(**document["suite"])})


@dataclass(frozen=True, slots=True)
class BaseImage:
    """A base image on the engine."""

    reference: str
    suite: str | None  # None: an update replaced it
    size: int  # bytes
    made_at: float  # Unix seconds
    current: bool  # of this version's recipe


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the images of a suite are made from."""

    folder: Path
    suite: Suite = DEFAULT

    def packages(self, name: str) -> list[str]:
        """Those of run- or build-packages.txt; a line `NAME [SUITE]` is for that suite only."""
        lines = (self.folder / f"{name}-packages.txt").read_text().splitlines()
        wanted = (line.partition(" ") for line in lines if line and not line.startswith("#"))
        return [name for name, _, only in wanted if only in ("", f"[{self.suite.name}]")]

    @property
    def launcher(self) -> Path:
        return self.folder / "launcher" / "launcher.c"

    @property
    def script(self) -> Path:
        return self.folder / "prepare.sh"

    def digest(self) -> str:
        """Eight hexadecimal digits that change with anything that the images hold."""
        facts = f"{FORMAT} {self.suite.name} {platform.machine()} uv {version('uv')}"
        sha = hashlib.sha256(facts.encode())
        for kind in ("run", "build"):
            sha.update(f"\n{kind}: {' '.join(self.packages(kind))}".encode())
        for file in (self.launcher, self.script):
            sha.update(b"\n" + file.read_bytes())
        return sha.hexdigest()[:8]

    def reference(self, kind: str) -> str:
        return f"{PREFIX}{kind}:{self.suite.name}-{self.digest()}"


def recipe(suite: Suite = DEFAULT) -> Recipe:
    return Recipe(share.folder("buildpacks") / "stack", suite)


def chosen(env: Mapping[str, str]) -> Suite:
    """The suite that a build's environment asks for; raises BuildError for one that is none."""
    text = env.get(suites.KEY) or DEFAULT.name
    found = suites.find(text)
    if found is None:
        raise BuildError(
            f"{suites.KEY} is '{text[:60]}', and there is no such stack.",
            f"Set it to one of: {', '.join(suites.SUITES)}. Without it, {DEFAULT.name} is taken.",
        )
    return found


def folder(settings: Settings) -> Path:
    """Where the images are made; it holds folders only while that happens, or was cut off."""
    return settings.home / "stack"


def find(engine: Engine, suite: Suite = DEFAULT) -> Stack | None:
    """The suite's stack of this version if the engine has both images."""
    made = recipe(suite)
    run, build = made.reference("run"), made.reference("build")
    run_image, build_image = engine.images.find(run), engine.images.find(build)
    if run_image is None or build_image is None:
        return None
    return Stack(suite, run, run_image.id, build, build_image.id)


def there(engine: Engine, known: Stack) -> bool:
    """Whether the engine still has exactly these images under their references."""
    pairs = ((known.run, known.run_id), (known.build, known.build_id))
    found = ((engine.images.find(reference), image_id) for reference, image_id in pairs)
    return all(image is not None and image.id == image_id for image, image_id in found)


def images(engine: Engine) -> list[BaseImage]:
    """All base images on the engine, those of this version first, the newest first."""
    made = [recipe(suite) for suite in suites.SUITES.values()]
    ours = {each.reference(kind) for each in made for kind in ("run", "build")}
    found = {name: engine.images.find(name) for name in engine.images.list(PREFIX)}
    listed = [
        BaseImage(name, _suite(name), image.size, image.created_at, name in ours)
        for name, image in found.items()
        if image is not None
    ]
    return sorted(listed, key=lambda each: (not each.current, -each.made_at))


def _suite(reference: str) -> str | None:
    if reference.startswith(REPLACED):
        return None
    return reference.rpartition(":")[2].rpartition("-")[0]
