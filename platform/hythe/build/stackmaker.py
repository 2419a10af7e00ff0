"""Making the base images of a suite, which takes minutes, and making them anew for an update.

They are made under names of their own, and get the right ones in the end. One process of an
installation makes at a time; what a killed one left goes when the next begins.
"""

import fcntl
import hashlib
import secrets
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

import uv

from hythe.build.operator import proxy_env
from hythe.build.stack import (
    LABEL_STACK,
    LAUNCHER,
    PATH,
    PREFIX,
    REPLACED,
    USER,
    Recipe,
    Stack,
    find,
    folder,
    recipe,
)
from hythe.build.tarball import TarFile, tar_of
from hythe.engine.port import Container, ContainerSpec, Engine, ImageConfig, Mount
from hythe.errors import EngineError, PlatformError
from hythe.settings import Settings
from hythe.suite import DEFAULT, Suite

PULL_SECONDS = 120  # after that the registry counts as absent
BOOTSTRAP_SECONDS = 900
# In the build image: what the run image has, so that buildpacks can tell what it lacks.
RUN_STATUS = "/cnb/stack/run.status"
DRAFT = f"{PREFIX}draft:"
REACH_DEBIAN = "Check that this machine reaches Debian's package servers (apt-get update)."

# What apt-get and useradd need; all other capabilities are dropped.
SETUP_CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "SETGID",
    "SETUID",
    "KILL",
    "SETFCAP",
)


class Progress(Protocol):
    def __call__(self, text: str, /) -> None: ...


@dataclass(frozen=True, slots=True)
class PackageChange:
    """A Debian package that differs between two makings of an image."""

    kind: str  # run or build
    name: str
    before: str | None  # version; None: it is new
    after: str | None  # None: it is gone


def ensure(engine: Engine, settings: Settings, suite: Suite, progress: Progress) -> Stack:
    """The suite's stack of this version; made when it is absent. Raises PlatformError."""
    found = find(engine, suite)
    if found is not None:
        return found
    with _alone(settings, progress):
        return find(engine, suite) or _maker(engine, settings, suite, progress).make()


def update(
    engine: Engine, settings: Settings, suite: Suite, progress: Progress
) -> list[PackageChange]:
    """Make a suite's stack anew when Debian has newer packages; returns what differs then.

    Images of apps keep what they were made on; the next build of each takes the new one.
    """
    with _alone(settings, progress):
        old, maker = find(engine, suite), _maker(engine, settings, suite, progress)
        if old is None:
            maker.make()
            return []
        maker.sweep()
        progress("Asking Debian for newer packages")
        if not maker.has_news(old):
            return []
        before = {kind: maker.packages(image) for kind, image in _images(old)}
        new = maker.make(old)
        return [
            PackageChange(kind, name, before[kind].get(name), after.get(name))
            for kind, image in _images(new)
            for after in [maker.packages(image)]
            for name in sorted(before[kind].keys() | after.keys())
            if before[kind].get(name) != after.get(name)
        ]


def sweep(engine: Engine, settings: Settings) -> None:
    """Remove what a killed process left half made, unless another one makes images now."""
    with _lock(settings) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        _maker(engine, settings, DEFAULT, lambda _: None).sweep()


def _images(stack: Stack) -> tuple[tuple[str, str], ...]:
    return (("run", stack.run_id), ("build", stack.build_id))


def _maker(engine: Engine, settings: Settings, suite: Suite, progress: Progress) -> "Maker":
    return Maker(engine, recipe(suite), folder(settings), progress)


def _lock(settings: Settings) -> TextIO:
    place = folder(settings)
    place.mkdir(parents=True, exist_ok=True)
    return (place / "lock").open("w")


@contextmanager
def _alone(settings: Settings, progress: Progress) -> Iterator[None]:
    """Wait until no other process of this installation makes base images."""
    with _lock(settings) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("Base images are being made already; waiting for them")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the images of one recipe."""

    engine: Engine
    recipe: Recipe
    folder: Path  # for what is on its way
    progress: Progress

    def make(self, old: Stack | None = None) -> Stack:
        """Make both; they take the names of the old ones, which go once nothing uses them."""
        self.sweep()
        out = self.folder / secrets.token_hex(4)
        out.mkdir(parents=True)
        try:
            self._make_root(out)
            self._make_build(out)
            self._make_run(out)
            self._name(old)
        finally:
            self.sweep()
        made = find(self.engine, self.recipe.suite)
        if made is None:
            raise PlatformError("The base images vanished while they were made.", "Run it again.")
        self.progress(f"Base images are ready: {made.run}, {made.build}")
        return made

    def has_news(self, old: Stack) -> bool:
        """Whether Debian has newer packages than the build image; it has all of the run image's."""
        with self._container(old.build_id) as container:
            self._run(container, "apt-get update -q")
            planned = self._run(container, "apt-get dist-upgrade -q --simulate")
        return any(line.startswith("Inst ") for line in planned.splitlines())

    def packages(self, image: str) -> dict[str, str]:
        """The versions of an image's packages by name."""
        with self._container(image) as container:
            listed = self._run(container, "dpkg-query -W -f '${Package} ${Version}\\n'")
        pairs = (line.partition(" ") for line in listed.splitlines())
        return {name: version for name, _, version in pairs}

    @property
    def label(self) -> str:
        """Marks what this installation is making."""
        return f"making-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]}"

    def _draft(self, kind: str) -> str:
        return f"{DRAFT}{self.label}-{kind}"

    def sweep(self) -> None:
        """Remove what is half made, also what a killed process left."""
        for container in self.engine.instances.list({LABEL_STACK: self.label}):
            self.engine.instances.remove(container.id)
        for name in [*self.engine.images.list(self._draft("")), *self.engine.images.list(REPLACED)]:
            self.engine.images.remove(name)  # those in use stay
        for left in self.folder.glob("*/"):
            shutil.rmtree(left, ignore_errors=True)

    def _name(self, old: Stack | None) -> None:
        for _, image in _images(old) if old else ():
            self.engine.images.tag(image, f"{REPLACED}{image.removeprefix('sha256:')[:12]}")
        for kind in ("run", "build"):
            self.engine.images.tag(self._draft(kind), self.recipe.reference(kind))

    def _make_root(self, out: Path) -> None:
        """An image of Debian with the run image's packages."""
        registry = f"debian:{self.recipe.suite.name}-slim"
        packages = self.recipe.packages("run")
        self.progress(f"Pulling {registry} from the registry")
        refusal = _pull(self.engine, registry)
        if refusal is None:
            self.progress(f"Pulled; installing {len(packages)} packages")
            with self._container(registry) as container:
                self._install(container, packages)
                self.engine.images.commit(container.id, self._draft("root"), ImageConfig())
            return
        self.progress(f"No registry ({refusal})")
        self.progress("Making the root with mmdebstrap instead, about a minute")
        tar = out / "root.tar"
        _bootstrap(self.recipe.suite, packages, tar)
        config = ImageConfig(env={"PATH": PATH})
        self.engine.images.load_root(tar, self._draft("root"), config)
        tar.unlink()

    def _make_build(self, out: Path) -> None:
        """The build image; leaves the compiled launcher in `out`."""
        packages = self.recipe.packages("build")
        self.progress(f"Installing {len(packages)} packages into the build image, about a minute")
        mounts = (Mount(out, "/out"), Mount(self.recipe.folder, "/recipe", read_only=True))
        with self._container(self._draft("root"), mounts) as container:
            self._run(container, f"install -D -m 644 /var/lib/dpkg/status {RUN_STATUS}")
            self._install(container, packages)
            self._run(container, "/recipe/prepare.sh")
            self.progress("Compiling the launcher")
            flags = "-static -O2 -Wall -Werror -s"
            self._run(container, f"gcc {flags} -o /out/launcher /recipe/launcher/launcher.c")
            files = [
                TarFile(LAUNCHER, (out / "launcher").read_bytes(), 0o755),
                TarFile("/usr/local/bin/uv", Path(uv.find_uv_bin()).read_bytes(), 0o755),
            ]
            self.engine.sessions.put(container.id, "/", tar_of(files))
            self.engine.images.commit(container.id, self._draft("build"), self._config("build"))

    def _make_run(self, out: Path) -> None:
        self.progress("Making the run image")
        mounts = (Mount(self.recipe.folder, "/recipe", read_only=True),)
        with self._container(self._draft("root"), mounts) as container:
            self._run(container, "/recipe/prepare.sh")
            launcher = TarFile(LAUNCHER, (out / "launcher").read_bytes(), 0o755)
            self.engine.sessions.put(container.id, "/", tar_of([launcher]))
            self.engine.images.commit(container.id, self._draft("run"), self._config("run"))

    def _config(self, kind: str) -> ImageConfig:
        stack_id = self.recipe.suite.stack_id
        return ImageConfig(
            env={"PATH": PATH, "CNB_STACK_ID": stack_id, "LANG": "C.UTF-8"},
            entrypoint=(),
            command=("/bin/bash",),
            workdir="/workspace",
            user=USER,
            labels={LABEL_STACK: kind},
        )

    @contextmanager
    def _container(self, image: str, mounts: tuple[Mount, ...] = ()) -> Iterator[Container]:
        """A running container of an image, as root, for apt-get; removed at the end."""
        spec = ContainerSpec(
            name=f"hythe-stack-{secrets.token_hex(4)}",
            image=image,
            entrypoint=(),
            command=("sleep", "3600"),
            labels={LABEL_STACK: self.label},
            user="0",
            workdir="/",
            mounts=mounts,
            capabilities=SETUP_CAPABILITIES,
            init=True,
        )
        container = self.engine.instances.create(spec)
        try:
            self.engine.instances.start(container.id)
            yield container
        finally:
            self.engine.instances.remove(container.id)

    def _install(self, container: Container, packages: list[str]) -> None:
        """Add packages, and what is newer of those that a pulled image has."""
        get = "apt-get -q -y --no-install-recommends"
        for command in ("update", "dist-upgrade", f"install {' '.join(packages)}"):
            self._run(container, f"{get} {command}")
        self._run(container, "apt-get clean")

    def _run(self, container: Container, command: str) -> str:
        # Not in the container's environment: that would end up in the image.
        env = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", **proxy_env()}
        done = self.engine.sessions.run(container.id, ["/bin/sh", "-c", command], env=env, user="0")
        if done.code != 0:
            last = [line for line in done.output.splitlines() if line.strip()][-3:]
            raise PlatformError(
                f"Making the base images failed: {command.split(' ')[0]}: {' / '.join(last)[:300]}",
                REACH_DEBIAN,
            )
        return done.output


def _pull(engine: Engine, registry: str) -> str | None:
    """Pull Debian; None when it worked, else why not."""
    outcome: list[str | None] = []

    def pull() -> None:
        try:
            engine.images.pull(registry)
            outcome.append(None)
        except EngineError as error:
            outcome.append(error.cause.splitlines()[0][:120])

    thread = threading.Thread(target=pull, daemon=True, name="pull")
    thread.start()
    thread.join(PULL_SECONDS)
    return outcome[0] if outcome else f"no answer in {PULL_SECONDS} s"


def _bootstrap(suite: Suite, packages: list[str], tar: Path) -> None:
    program = shutil.which("mmdebstrap")
    if program is None:
        raise PlatformError(
            f"No registry answers, and mmdebstrap is not installed: {suite.name}'s base images"
            " cannot be made.",
            "Install it: apt-get install mmdebstrap (on Ubuntu also debian-archive-keyring).",
        )
    include = f"--include={','.join(packages)}"
    command = [program, "--variant=minbase", include, suite.name, str(tar)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BOOTSTRAP_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise PlatformError(
            f"mmdebstrap did not end within {BOOTSTRAP_SECONDS} s.", REACH_DEBIAN
        ) from None
    if done.returncode != 0:
        errors = (line for line in done.stderr.splitlines() if line.startswith("E: "))
        reason = next(errors, done.stderr[-200:])
        raise PlatformError(f"mmdebstrap failed: {reason.strip()}", REACH_DEBIAN)
