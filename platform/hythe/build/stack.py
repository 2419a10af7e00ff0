"""The two base images: made once a machine, named by the digest of their recipe.

Everything that decides what they hold lies in buildpacks/stack/; see its README.
"""

import hashlib
import platform
import secrets
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import uv

from hythe.build import share
from hythe.build.operator import proxy_env
from hythe.build.tarball import TarFile, tar_of
from hythe.engine.port import Container, ContainerSpec, Engine, ImageConfig, Mount
from hythe.errors import EngineError, PlatformError
from hythe.settings import Settings

SUITE = "bookworm"
PREFIX = "hythe-stack/"
FORMAT = "3"  # of the steps below; part of the digest
STACK_ID = f"hythe-{SUITE}"
REGISTRY_IMAGE = f"debian:{SUITE}-slim"
PULL_SECONDS = 120  # after that the registry counts as absent
BOOTSTRAP_SECONDS = 900
LAUNCHER = "/cnb/lifecycle/launcher"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
USER, USER_ID = "app", 1000
LABEL_STACK = "io.hythe.stack"
# In the build image: what the run image has, so that buildpacks can tell what it lacks.
RUN_STATUS = "/cnb/stack/run.status"

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

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stack:
    """The base images on the engine: reference and id of each."""

    run: str
    run_id: str
    build: str
    build_id: str


@dataclass(frozen=True, slots=True)
class BaseImage:
    """A base image on the engine."""

    reference: str
    size: int  # bytes
    made_at: float  # Unix seconds
    current: bool  # of this version's recipe


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the images are made from."""

    folder: Path

    def packages(self, name: str) -> list[str]:
        lines = (self.folder / f"{name}-packages.txt").read_text().splitlines()
        return [line for line in lines if line and not line.startswith("#")]

    @property
    def launcher(self) -> Path:
        return self.folder / "launcher" / "launcher.c"

    @property
    def script(self) -> Path:
        return self.folder / "prepare.sh"

    def digest(self) -> str:
        """Eight hexadecimal digits that change with anything that the images hold."""
        sha = hashlib.sha256(f"{FORMAT} {SUITE} {platform.machine()} uv {version('uv')}".encode())
        for kind in ("run", "build"):
            sha.update(f"\n{kind}: {' '.join(self.packages(kind))}".encode())
        for file in (self.launcher, self.script):
            sha.update(b"\n" + file.read_bytes())
        return sha.hexdigest()[:8]

    def reference(self, kind: str) -> str:
        return f"{PREFIX}{kind}:{SUITE}-{self.digest()}"


def recipe() -> Recipe:
    return Recipe(share.folder("buildpacks") / "stack")


def ensure(engine: Engine, settings: Settings, progress: Progress) -> Stack:
    """The stack of this version; made when it is absent, which takes minutes."""
    return find(engine) or _make(engine, settings, recipe(), progress)


def find(engine: Engine) -> Stack | None:
    """The stack of this version if the engine has both images."""
    made = recipe()
    run, build = made.reference("run"), made.reference("build")
    run_image, build_image = engine.images.find(run), engine.images.find(build)
    if run_image is None or build_image is None:
        return None
    return Stack(run, run_image.id, build, build_image.id)


def there(engine: Engine, known: Stack) -> bool:
    """Whether the engine still has exactly these images under their references."""
    pairs = ((known.run, known.run_id), (known.build, known.build_id))
    found = ((engine.images.find(reference), image_id) for reference, image_id in pairs)
    return all(image is not None and image.id == image_id for image, image_id in found)


def images(engine: Engine) -> list[BaseImage]:
    """All base images on the engine, those of this version first, the newest first."""
    made = recipe()
    ours = {made.reference(kind) for kind in ("run", "build")}
    found = {name: engine.images.find(name) for name in engine.images.list(PREFIX)}
    listed = [
        BaseImage(name, image.size, image.created_at, name in ours)
        for name, image in found.items()
        if image is not None
    ]
    return sorted(listed, key=lambda each: (not each.current, -each.made_at))


def _make(engine: Engine, settings: Settings, made: Recipe, progress: Progress) -> Stack:
    out = settings.home / "stack" / secrets.token_hex(4)
    out.mkdir(parents=True)
    root = made.reference("root")
    try:
        if engine.images.find(root) is None:
            _make_root(engine, made, root, out, progress)
        _make_build(engine, made, root, out, progress)
        _make_run(engine, made, root, out, progress)
        engine.images.remove(root)
    finally:
        shutil.rmtree(out, ignore_errors=True)
    stack = find(engine)
    if stack is None:
        raise PlatformError("The base images vanished while they were made.", "Run it again.")
    progress(f"Base images are ready: {stack.run}, {stack.build}")
    return stack


def _make_root(engine: Engine, made: Recipe, root: str, out: Path, progress: Progress) -> None:
    """An image of Debian with the run image's packages."""
    progress(f"Pulling {REGISTRY_IMAGE} from the registry")
    refusal = _pull(engine)
    if refusal is None:
        progress(f"Pulled; installing {len(made.packages('run'))} packages")
        with _container(engine, REGISTRY_IMAGE) as container:
            _install(engine, container, made.packages("run"), progress)
            engine.images.commit(container.id, root, ImageConfig())
        return
    progress(f"No registry ({refusal}); making the root with mmdebstrap instead, about a minute")
    tar = out / "root.tar"
    _bootstrap(made.packages("run"), tar)
    engine.images.load_root(tar, root, ImageConfig(env={"PATH": PATH}))
    tar.unlink()


def _pull(engine: Engine) -> str | None:
    """Pull Debian; None when it worked, else why not."""
    outcome: list[str | None] = []

    def pull() -> None:
        try:
            engine.images.pull(REGISTRY_IMAGE)
            outcome.append(None)
        except EngineError as error:
            outcome.append(error.cause.splitlines()[0][:120])

    thread = threading.Thread(target=pull, daemon=True, name="pull")
    thread.start()
    thread.join(PULL_SECONDS)
    return outcome[0] if outcome else f"no answer in {PULL_SECONDS} s"


def _bootstrap(packages: list[str], tar: Path) -> None:
    program = shutil.which("mmdebstrap")
    if program is None:
        raise PlatformError(
            "No registry answers, and mmdebstrap is not installed: the base images cannot be made.",
            "Install it: apt-get install mmdebstrap (on Ubuntu also debian-archive-keyring).",
        )
    command = [program, "--variant=minbase", f"--include={','.join(packages)}", SUITE, str(tar)]
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
            f"mmdebstrap did not end within {BOOTSTRAP_SECONDS} s.",
            "Check that this machine reaches Debian's package servers (apt-get update).",
        ) from None
    if done.returncode != 0:
        reason = next(
            (x for x in done.stderr.splitlines() if x.startswith("E: ")), done.stderr[-200:]
        )
        raise PlatformError(
            f"mmdebstrap failed: {reason.strip()}",
            "Check that this machine reaches Debian's package servers (apt-get update).",
        )


def _make_build(engine: Engine, made: Recipe, root: str, out: Path, progress: Progress) -> None:
    """The build image; leaves the compiled launcher in `out`."""
    packages = made.packages("build")
    progress(f"Installing {len(packages)} packages into the build image, about a minute")
    mounts = (Mount(out, "/out"), Mount(made.folder, "/recipe", read_only=True))
    with _container(engine, root, mounts) as container:
        _run(engine, container, f"install -D -m 644 /var/lib/dpkg/status {RUN_STATUS}")
        _install(engine, container, packages, progress)
        _run(engine, container, "/recipe/prepare.sh")
        progress("Compiling the launcher")
        flags = "-static -O2 -Wall -Werror -s"
        _run(engine, container, f"gcc {flags} -o /out/launcher /recipe/launcher/launcher.c")
        files = [
            TarFile(LAUNCHER, (out / "launcher").read_bytes(), 0o755),
            TarFile("/usr/local/bin/uv", Path(uv.find_uv_bin()).read_bytes(), 0o755),
        ]
        engine.sessions.put(container.id, "/", tar_of(files))
        engine.images.commit(container.id, made.reference("build"), _config("build"))


def _make_run(engine: Engine, made: Recipe, root: str, out: Path, progress: Progress) -> None:
    progress("Making the run image")
    with _container(engine, root, (Mount(made.folder, "/recipe", read_only=True),)) as container:
        _run(engine, container, "/recipe/prepare.sh")
        launcher = TarFile(LAUNCHER, (out / "launcher").read_bytes(), 0o755)
        engine.sessions.put(container.id, "/", tar_of([launcher]))
        engine.images.commit(container.id, made.reference("run"), _config("run"))


def _config(kind: str) -> ImageConfig:
    return ImageConfig(
        env={"PATH": PATH, "CNB_STACK_ID": STACK_ID, "LANG": "C.UTF-8"},
        entrypoint=(),
        command=("/bin/bash",),
        workdir="/workspace",
        user=USER,
        labels={LABEL_STACK: kind},
    )


@contextmanager
def _container(engine: Engine, image: str, mounts: tuple[Mount, ...] = ()) -> Iterator[Container]:
    """A running container of an image, as root, for apt-get; removed at the end."""
    spec = ContainerSpec(
        name=f"hythe-stack-{secrets.token_hex(4)}",
        image=image,
        entrypoint=(),
        command=("sleep", "3600"),
        labels={LABEL_STACK: "making"},
        user="0",
        workdir="/",
        mounts=mounts,
        capabilities=SETUP_CAPABILITIES,
        init=True,
    )
    container = engine.instances.create(spec)
    try:
        engine.instances.start(container.id)
        yield container
    finally:
        engine.instances.remove(container.id)


def _install(engine: Engine, container: Container, packages: list[str], progress: Progress) -> None:
    _run(engine, container, "apt-get update -q")
    _run(
        engine,
        container,
        f"apt-get install -q -y --no-install-recommends {' '.join(packages)} && apt-get clean",
    )


def _run(engine: Engine, container: Container, command: str) -> None:
    # Not in the container's environment: that would end up in the image.
    env = {"DEBIAN_FRONTEND": "noninteractive", **proxy_env()}
    done = engine.sessions.run(container.id, ["/bin/sh", "-c", command], env=env, user="0")
    if done.code != 0:
        last = [line for line in done.output.splitlines() if line.strip()][-3:]
        raise PlatformError(
            f"Making the base images failed: {command.split(' ')[0]}: {' / '.join(last)[:300]}",
            "Check that this machine reaches Debian's package servers (apt-get update).",
        )
