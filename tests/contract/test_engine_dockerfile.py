"""Dockerfile builds on a real engine, by both builders."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import missing
from contract.kit import Kit
from docker.errors import APIError
from images import BUSYBOX

from hythe.engine.docker import ceiling
from hythe.engine.docker.buildkit import BuildKit
from hythe.engine.docker.client import Client
from hythe.engine.port import Limits
from hythe.errors import BuildError

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("no_leftovers")]
Build = Callable[..., list[str]]
ONLY_BUILDKIT = "RUN --mount=type=tmpfs,target=/scratch true"
MEMORY = 64 << 20
BUILDKIT_LIMITS = Limits(memory=MEMORY, cpus=0.5, pids=200)
BOMB = "RUN i=0; while [ $i -lt 500 ]; do sleep 20 & i=$((i+1)); done; echo all $((250 * 2))"
# What a step shows of its own limits, on either version of cgroups.
PIDS_MAX = "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null"
CPU_MAX = "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null"


def fresh(kit: Kit, instructions: str) -> str:
    """A Dockerfile that no builder has in its cache."""
    return f"FROM {BUSYBOX}\nENV TEST={kit.prefix}\n{instructions}\n"


@pytest.fixture
def no_leftovers(docker_kit: Kit) -> Iterator[None]:
    """A failed classic build leaves the images of the steps before it."""
    yield
    api = Client(None).api
    for image in api.images(filters={"dangling": True}, quiet=True):
        with suppress(APIError):  # gone meanwhile, or a base of the one before
            if f"TEST={docker_kit.prefix}" in (api.inspect_image(image)["Config"]["Env"] or ()):
                api.remove_image(image, force=True)  # its container may just be going


@pytest.fixture
def classic(docker_kit: Kit, tmp_path: Path) -> Build:
    """Builds instructions that both builders know."""

    def run(instructions: str, **options: Any) -> list[str]:
        (tmp_path / "Dockerfile").write_text(fresh(docker_kit, instructions))
        options = {"limits": Limits(), "labels": docker_kit.labels} | options
        images = docker_kit.engine.images
        return list(images.build(tmp_path, "Dockerfile", ref=docker_kit.ref(), **options))

    return run


@pytest.fixture
def buildkit(classic: Build) -> Build:
    """Builds instructions, and one before them that only BuildKit knows."""
    if not BuildKit(Client(None)).command:
        missing("buildkit", "no docker command here speaks it.")
    return lambda instructions, **options: classic(f"{ONLY_BUILDKIT}\n{instructions}", **options)


@pytest.fixture(params=["classic", "buildkit"])
def build(request: pytest.FixtureRequest) -> Build:
    build: Build = request.getfixturevalue(request.param)
    return build


def test_steps_and_their_output_are_shown(build: Build, docker_kit: Kit) -> None:
    lines = build("RUN echo $((6 * 7))\nEXPOSE 8000 53/udp\nUSER 5\nCMD sleep 1")
    image = docker_kit.engine.images.find(docker_kit.ref())
    assert "42" in lines
    assert any("RUN echo" in line for line in lines)
    assert image and image.exposed == (8000,)
    assert (image.user, image.command) == ("5", ("/bin/sh", "-c", "sleep 1"))
    assert docker_kit.labels.items() <= image.labels.items()


def test_failing_step_is_named(build: Build) -> None:
    with pytest.raises(BuildError, match=r"RUN exit 9.*9"):
        build("RUN echo fine\nRUN exit 9")


def test_syntax_error_is_told(build: Build) -> None:
    with pytest.raises(BuildError, match=r"(?i)unknown instruction: RUNN"):
        build("RUNN echo")


def test_missing_file_is_told(build: Build) -> None:
    with pytest.raises(BuildError, match=r"missing\.txt"):
        build("COPY missing.txt /")


def test_ignored_files_stay_out(build: Build, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "shown").write_text("s")
    (tmp_path / ".dockerignore").write_text("secret\n")
    lines = build("COPY . /www\nRUN echo found: $(ls /www)")
    assert any("shown" in line for line in lines if "found:" in line)
    assert not any("secret" in line for line in lines if "found:" in line)


@pytest.fixture(params=["", ONLY_BUILDKIT], ids=["classic", "buildkit"])
def sleeper(request: pytest.FixtureRequest, docker_kit: Kit, tmp_path: Path) -> Path:
    """A Dockerfile whose last step says "begun 2" and then nothing for long."""
    if request.param and not BuildKit(Client(None)).command:
        missing("buildkit", "no docker command here speaks it.")
    marker = docker_kit.prefix
    script = f"echo {marker} > /{marker}; echo begun $((1 + 1)); sleep 100; true"
    (tmp_path / "Dockerfile").write_text(fresh(docker_kit, f"{request.param}\nRUN {script}"))
    return tmp_path


def test_closing_the_iterator_ends_the_build(sleeper: Path, docker_kit: Kit) -> None:
    images = docker_kit.engine.images
    output = images.build(sleeper, "Dockerfile", docker_kit.ref(), {}, Limits())
    assert next(line for line in output if line == "begun 2")
    assert running(docker_kit.prefix)
    output.close()  # type: ignore[attr-defined]
    assert_ended(docker_kit)


def test_killing_the_process_ends_the_build(sleeper: Path, docker_kit: Kit) -> None:
    """The way in which the time limit ends it."""
    program = (
        "import sys; from pathlib import Path;"
        "from hythe.engine.docker import connect; from hythe.engine.port import Limits\n"
        "for line in connect().images.build(Path(sys.argv[1]), 'Dockerfile', sys.argv[2], {},"
        " Limits()): print(line, flush=True)"
    )
    command = [sys.executable, "-c", program, sleeper, docker_kit.ref()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert next(line for line in process.stdout if line == "begun 2\n")
        assert running(docker_kit.prefix)
        process.kill()
    assert_ended(docker_kit)


def assert_ended(kit: Kit) -> None:
    deadline = time.monotonic() + 20
    while running(kit.prefix) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not running(kit.prefix)
    assert kit.engine.images.find(kit.ref()) is None


def running(marker: str) -> bool:
    """Whether a step's shell, which carries the marker in its command line, runs on this host."""
    needle = f"echo {marker} >".encode()
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes()
        except OSError:
            continue
        if needle in line and line.startswith(b"/bin/sh"):
            return True
    return False


def test_mounts_of_buildkit_work(buildkit: Build) -> None:
    mount = "RUN --mount=type=cache,target=/cache echo a$((1 + 1)) > /cache/x && cat /cache/x"
    assert "a2" in buildkit(mount)


def test_buildkit_says_when_it_has_no_limits(
    buildkit: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ceiling, "CGROUPS", tmp_path / "none")
    lines = buildkit("RUN true", limits=BUILDKIT_LIMITS)
    assert any("limited in time only" in line for line in lines)


@pytest.fixture
def limited_buildkit(buildkit: Build) -> Iterator[Build]:
    """BuildKit's steps, with limits; they are the engine's, so they are taken back."""
    deadline = time.monotonic() + 20  # what earlier builds left in the page cache has to go
    while not ceiling.limit_all(BUILDKIT_LIMITS):
        if time.monotonic() > deadline:
            pytest.skip("the cgroups of this engine cannot be written")
        time.sleep(0.5)
    yield buildkit
    ceiling.limit_all(Limits(memory=1 << 40, cpus=64, pids=1 << 20))


def test_buildkit_step_over_the_memory_limit_is_killed(limited_buildkit: Build) -> None:
    with pytest.raises(BuildError, match="killed, as happens over the 64 MiB of a build"):
        limited_buildkit("RUN tail /dev/zero", limits=BUILDKIT_LIMITS)


def test_buildkit_fork_bomb_fails_at_the_process_limit(limited_buildkit: Build) -> None:
    with pytest.raises(BuildError, match="RUN i=0"):
        limited_buildkit(BOMB, limits=Limits(memory=MEMORY, pids=30))


def test_step_over_the_memory_limit_is_killed(classic: Build) -> None:
    with pytest.raises(BuildError, match="more than the 64 MiB of a build"):
        classic("RUN tail /dev/zero", limits=Limits(memory=MEMORY))


def test_fork_bomb_fails_at_the_process_limit(classic: Build) -> None:
    lines: list[str] = []
    with pytest.raises(BuildError, match="RUN i=0"):
        lines = classic(BOMB, limits=Limits(memory=MEMORY, pids=30))
    assert "all 500" not in lines


@pytest.mark.parametrize(("show", "limit"), [(PIDS_MAX, "77"), (CPU_MAX, "50000")])
def test_step_gets_its_limit_soon_after_its_start(classic: Build, show: str, limit: str) -> None:
    wait = f"until {show} | grep {limit}; do i=$((i+1)); [ $i -lt 100 ] || exit 1; sleep 0.1; done"
    classic(f"RUN {wait}", limits=Limits(cpus=0.5, pids=77))


def test_step_cannot_change_the_limits_of_another_container(
    classic: Build, docker_kit: Kit
) -> None:
    other = docker_kit.started(limits=Limits(pids=33))
    classic(f"RUN echo ' ---> Running in {other.id[:12]}'; sleep 1", limits=Limits(pids=44))
    assert Client(None).api.inspect_container(other.id)["HostConfig"]["PidsLimit"] == 33


def test_proxies_reach_a_step_and_not_the_image(build: Build, docker_kit: Kit) -> None:
    args = {"HTTP_PROXY": "http://ann:pass@proxy.test:1", "no_proxy": "inside.test"}
    lines = build("RUN echo $((1 + 1)) ${#HTTP_PROXY} $no_proxy", args=args)
    assert f"2 {len(args['HTTP_PROXY'])} inside.test" in lines
    assert not told(docker_kit, "proxy.test", "inside.test")


def test_a_declared_argument_is_left_out_and_said(build: Build, docker_kit: Kit) -> None:
    args = {"PIP_INDEX_URL": "http://index.test/", "HTTP_PROXY": "http://ann:pass@p.test"}
    lines = build("ARG PIP_INDEX_URL\nARG HTTP_PROXY\nRUN echo ${#PIP_INDEX_URL}", args=args)
    for name in args:
        assert f"ARG {name} would keep the operator's value in the image: left out" in lines
    assert "0" in lines
    assert not told(docker_kit, "index.test", "p.test")


def test_secrets_reach_the_steps_that_mount_them_and_not_the_image(
    buildkit: Build, docker_kit: Kit, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    bundle.write_text("certificate.test\n")
    mounts = "--mount=type=secret,id=ca,target=/etc/ca --mount=type=secret,id=PIP_INDEX_URL"
    lines = buildkit(
        f"RUN {mounts} cat /etc/ca /run/secrets/PIP_INDEX_URL; echo",
        args={"PIP_INDEX_URL": "http://ann:pass@index.test/"},
        secrets={"ca": bundle},
    )
    assert {"certificate.test", "http://ann:pass@index.test/"} <= set(lines)
    assert not told(docker_kit, "certificate.test", "index.test")


def told(kit: Kit, *words: str) -> bool:
    """Whether the image's configuration, history or files hold one of the words."""
    api = Client(None).api
    texts = [str(api.inspect_image(kit.ref())), str(api.history(kit.ref()))]
    saved = b"".join(api.get_image(kit.ref()))
    return any(word in text for word in words for text in texts) or any(
        word.encode() in saved for word in words
    )


def test_dockerfile_outside_the_source_is_refused(docker_kit: Kit, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text(f"FROM {BUSYBOX}\n")
    source = tmp_path / "source"
    source.mkdir()
    (source / "Dockerfile").symlink_to("../outside")
    images = docker_kit.engine.images
    for name in ("Dockerfile", "../outside", "/etc/passwd"):
        with pytest.raises(BuildError, match="not a file of the source"):
            list(images.build(source, name, docker_kit.ref(), {}, Limits()))
