"""The engine contract's subjects: each test runs on the memory engine and on a real one."""

import secrets
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.kit import PROGRAMS, Kit
from images import BUSYBOX, busybox

from hythe.engine.memory import Memory
from hythe.engine.port import Engine


@pytest.fixture
def docker_kit(engine: Engine, docker_label: dict[str, str]) -> Iterator[Kit]:
    busybox(engine)
    kit = Kit(engine, docker_label | {"io.hythe.test": secrets.token_hex(4)})
    yield kit
    kit.clean()


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    memory.programs |= PROGRAMS
    memory.images_add(BUSYBOX)
    return memory


@pytest.fixture(params=["memory", pytest.param("docker", marks=pytest.mark.docker)])
def kit(request: pytest.FixtureRequest) -> Kit:
    if request.param == "docker":
        kit: Kit = request.getfixturevalue("docker_kit")
        return kit
    return Kit(request.getfixturevalue("memory").engine, {"io.hythe.test": "memory"})


@pytest.fixture
def root_tar(tmp_path: Path) -> Path:
    """A root file system of one file."""
    (tmp_path / "hello").write_text("hello")
    with tarfile.open(tmp_path / "root.tar", "w") as tar:
        tar.add(tmp_path / "hello", "hello")
    return tmp_path / "root.tar"
