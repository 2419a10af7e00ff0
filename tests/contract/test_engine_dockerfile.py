"""Dockerfile builds on a real engine, by both builders."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from contract.kit import Kit
from docker.errors import APIError
from images import BUSYBOX

from hythe.engine.docker.build import DockerfileBuild
from hythe.engine.docker.client import Client
from hythe.engine.port import Limits
from hythe.errors import BuildError

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("no_leftovers")]
Build = Callable[[str], list[str]]


class ClassicBuild(DockerfileBuild):
    """As on a machine without a docker command."""

    _buildkit = None


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
                api.remove_image(image)


@pytest.fixture(params=[DockerfileBuild, ClassicBuild])
def builder(request: pytest.FixtureRequest) -> DockerfileBuild:
    builder: DockerfileBuild = request.param(Client(None))
    if isinstance(builder, ClassicBuild) or builder._buildkit:
        return builder
    pytest.skip("no docker command here speaks BuildKit")


@pytest.fixture
def build(builder: DockerfileBuild, docker_kit: Kit, tmp_path: Path) -> Build:
    def run(instructions: str) -> list[str]:
        (tmp_path / "Dockerfile").write_text(fresh(docker_kit, instructions))
        labels = docker_kit.labels
        return list(builder.run(tmp_path, "Dockerfile", docker_kit.ref(), labels, Limits()))

    return run


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


def test_closing_the_iterator_ends_the_build(
    builder: DockerfileBuild, docker_kit: Kit, tmp_path: Path
) -> None:
    marker = docker_kit.prefix
    script = f"echo {marker} > /{marker}; echo begun $((1 + 1)); sleep 100; true"
    (tmp_path / "Dockerfile").write_text(fresh(docker_kit, f"RUN {script}"))
    output = builder.run(tmp_path, "Dockerfile", docker_kit.ref(), {}, Limits())
    assert next(line for line in output if line == "begun 2")
    assert running(marker)
    output.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 20
    while running(marker) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not running(marker)
    assert docker_kit.engine.images.find(docker_kit.ref()) is None


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


def test_mounts_of_buildkit_work(docker_kit: Kit, tmp_path: Path) -> None:
    builder = DockerfileBuild(Client(None))
    if not builder._buildkit:
        pytest.skip("no docker command here speaks BuildKit")
    mount = "RUN --mount=type=cache,target=/cache echo a$((1 + 1)) > /cache/x && cat /cache/x"
    (tmp_path / "Dockerfile").write_text(fresh(docker_kit, mount))
    lines = list(builder.run(tmp_path, "Dockerfile", docker_kit.ref(), {}, Limits()))
    assert "a2" in lines


def test_dockerfile_outside_the_source_is_refused(docker_kit: Kit, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text(f"FROM {BUSYBOX}\n")
    source = tmp_path / "source"
    source.mkdir()
    (source / "Dockerfile").symlink_to("../outside")
    images = docker_kit.engine.images
    for name in ("Dockerfile", "../outside", "/etc/passwd"):
        with pytest.raises(BuildError, match="not a file of the source"):
            list(images.build(source, name, docker_kit.ref(), {}, Limits()))
