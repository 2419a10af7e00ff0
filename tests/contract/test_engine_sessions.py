"""Programs inside containers: what both engines promise."""

import io
import tarfile
from collections.abc import Iterator

import pytest
from contract.kit import FAILS, Kit

from hythe.errors import EngineError, EngineLacks


def tar_of(name: str, content: bytes) -> Iterator[bytes]:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    yield from (packed.getvalue()[at : at + 1000] for at in range(0, packed.tell(), 1000))


def test_run_returns_code_and_output(kit: Kit) -> None:
    done = kit.engine.sessions.run(kit.started().id, FAILS)
    assert (done.code, done.output) == (3, "one\ntwo\n")


def test_stream_yields_lines_and_then_the_code(kit: Kit) -> None:
    stream = kit.engine.sessions.stream(kit.started().id, FAILS)
    assert list(stream) == ["one", "two"]
    assert stream.exit_code() == 3


def test_absent_container_runs_nothing_and_takes_no_files(kit: Kit) -> None:
    with pytest.raises(EngineLacks):
        kit.engine.sessions.run("0" * 64, FAILS)
    with pytest.raises(EngineLacks):
        kit.engine.sessions.put("0" * 64, "/tmp", tar_of("a", b"a"))


def test_stopped_container_runs_nothing(kit: Kit) -> None:
    with pytest.raises(EngineError):
        kit.engine.sessions.run(kit.create().id, FAILS)


def test_files_go_into_created_and_running_containers(kit: Kit) -> None:
    for container in (kit.create(), kit.started()):
        kit.engine.sessions.put(container.id, "/tmp", tar_of("a", b"x" * 5000))


def test_what_a_container_has_is_seen_before_it_starts(kit: Kit) -> None:
    container = kit.create()
    kit.engine.sessions.put(container.id, "/tmp", tar_of("a", b"x"))
    assert kit.engine.sessions.has(container.id, "/bin/sh")
    assert kit.engine.sessions.has(container.id, "/tmp/a")
    assert not kit.engine.sessions.has(container.id, "/tmp/b")
    assert not kit.engine.sessions.has(container.id, "/no/such/folder")
