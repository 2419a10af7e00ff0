"""What only a real engine can show: confinement, real files, real output."""

import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.kit import UP, Kit
from images import BUSYBOX

from hythe.engine.docker import connect
from hythe.engine.port import ContainerSpec, ImageConfig, Limits, Mount
from hythe.errors import EngineAway, EngineError

pytestmark = pytest.mark.docker
PATIENCE = 30.0


def said(kit: Kit, script: str, **fields: object) -> list[str]:
    """What a shell script prints in a container of its own.

    The engine may lose for a follower what a container writes right at its end, so it lives on.
    """
    container = kit.started(("sh", "-c", f"{script}\nsleep 0.3"), **fields)
    return list(kit.instances.follow(container.id))


def packed(folder: Path) -> Iterator[bytes]:
    with tarfile.open(folder.with_suffix(".tar"), "w") as tar:
        tar.add(folder, ".")
    yield folder.with_suffix(".tar").read_bytes()


def test_container_has_no_capabilities_and_gains_none(docker_kit: Kit) -> None:
    script = "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status"
    lines = [line.split() for line in said(docker_kit, script)]
    assert dict(lines) == {
        "CapEff:": "0" * 16,
        "CapBnd:": "0" * 16,
        "NoNewPrivs:": "1",
    }


def test_listed_capabilities_are_granted(docker_kit: Kit) -> None:
    script = "grep CapEff /proc/self/status"
    assert said(docker_kit, script, capabilities=("CHOWN",)) == ["CapEff:\t" + "1".zfill(16)]


def test_container_over_its_memory_is_killed(docker_kit: Kit) -> None:
    hog = ("sh", "-c", "tail /dev/zero")
    container = docker_kit.started(hog, limits=Limits(memory=16 * 1024**2))
    assert docker_kit.instances.wait(container.id, PATIENCE) == 137
    assert docker_kit.seen(container).oom_killed


def test_process_limit_holds(docker_kit: Kit) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; echo all"
    assert "all" not in said(docker_kit, script, limits=Limits(pids=5))


def test_spec_reaches_the_program(docker_kit: Kit) -> None:
    lines = said(
        docker_kit,
        "id -u; pwd; hostname; echo $A",
        env={"A": "b=c d"},
        user="1234",
        workdir="/tmp",
        hostname="web-1",
        network="none",
    )
    assert lines == ["1234", "/tmp", "web-1", "b=c d"]


def test_read_only_mount_is_read_only(docker_kit: Kit, tmp_path: Path) -> None:
    for name in ("kept", "open"):
        (tmp_path / name).mkdir()
    mounts = (Mount(tmp_path / "kept", "/kept", read_only=True), Mount(tmp_path / "open", "/open"))
    lines = said(docker_kit, "touch /open/new; touch /kept/new", mounts=mounts)
    assert "Read-only" in lines[-1]
    assert (tmp_path / "open" / "new").exists()


def test_entrypoint_may_be_the_images_or_none(docker_kit: Kit) -> None:
    config = ImageConfig(entrypoint=("echo", "image"), command=("own",))
    docker_kit.engine.images.commit(docker_kit.create().id, docker_kit.ref(), config)

    def prints(**fields: object) -> list[str]:
        spec = ContainerSpec(
            docker_kit.name(), docker_kit.ref(), labels=docker_kit.labels, **fields
        )
        container = docker_kit.instances.create(spec)
        docker_kit.instances.start(container.id)
        return list(docker_kit.instances.follow(container.id))

    assert prints() == ["image own"]
    assert prints(command=("mine",)) == ["image mine"]
    assert prints(entrypoint=(), command=("echo", "bare")) == ["bare"]
    assert prints(entrypoint=("echo", "new"), command=("x",)) == ["new x"]


def test_init_reaps_and_passes_signals(docker_kit: Kit) -> None:
    container = docker_kit.started(("sleep", "300"), init=True)
    docker_kit.instances.stop(container.id, 20)
    assert docker_kit.seen(container).exit_code == 143


def test_log_file_can_be_read_on_the_host(docker_kit: Kit) -> None:
    container = docker_kit.started()
    assert container.log_path
    assert '"log":"up\\n"' in container.log_path.read_text()


def test_long_output_arrives_whole_and_in_lines(docker_kit: Kit) -> None:
    script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"
    lines = list(docker_kit.engine.sessions.stream(docker_kit.started().id, ("sh", "-c", script)))
    assert lines == [f"line {number}" for number in range(20000)]


def test_both_streams_come_in_whole_lines(docker_kit: Kit) -> None:
    script = "printf 'out '; sleep 0.2; echo err >&2; sleep 0.2; echo put"
    assert said(docker_kit, script) == ["err", "out put"]


def test_missing_program_has_the_shells_code(docker_kit: Kit) -> None:
    done = docker_kit.engine.sessions.run(docker_kit.started().id, ("missing",))
    assert done.code in (126, 127)
    assert "missing" in done.output


def test_program_sees_its_settings(docker_kit: Kit) -> None:
    done = docker_kit.engine.sessions.run(
        docker_kit.started().id,
        ("sh", "-c", "echo $A; id -u; pwd"),
        env={"A": "é"},
        user="7",
        workdir="/tmp",
    )
    assert done.output == "é\n7\n/tmp\n"


def test_put_and_committed_files_are_in_the_image(docker_kit: Kit, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "file").write_text("content\n")
    container = docker_kit.create()
    docker_kit.engine.sessions.put(container.id, "/www", packed(tmp_path / "app"))
    docker_kit.engine.images.commit(container.id, docker_kit.ref(), ImageConfig())
    assert said(docker_kit, "cat /www/file", image=docker_kit.ref()) == ["content"]


def test_command_that_cannot_start_is_an_error_with_its_name(docker_kit: Kit) -> None:
    container = docker_kit.create(("missing-program",))
    with pytest.raises(EngineError, match="missing-program"):
        docker_kit.instances.start(container.id)


def test_engine_that_is_not_there_is_away() -> None:
    engine = connect("unix:///nonexistent/docker.sock")
    with pytest.raises(EngineAway):
        engine.instances.ping()
    with pytest.raises(EngineAway):
        engine.images.find(BUSYBOX)


def test_many_threads_share_one_connection_pool(docker_kit: Kit) -> None:
    container = docker_kit.started(UP)
    seen: list[str] = []

    def ask() -> None:
        for _ in range(3):
            seen.append(docker_kit.engine.sessions.run(container.id, ("echo", "x")).output)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert seen == ["x\n"] * 48


def test_a_container_of_little_weight_has_a_group_beside_the_engines(docker_kit: Kit) -> None:
    """Version 1 of cgroups and the engine's own driver, as where these tests run."""
    group = Path("/sys/fs/cgroup/cpu/hythe-builds-20")
    container = docker_kit.started(weight=20, sealed=True)
    if not group.parent.is_dir():
        pytest.skip("needs cgroups of version 1")
    assert (group / "cpu.shares").read_text() == "204\n"
    assert (group / container.id).is_dir()


def test_a_sealed_container_can_write_nothing(docker_kit: Kit) -> None:
    container = docker_kit.started(sealed=True)
    done = docker_kit.engine.sessions.run(container.id, ["sh", "-c", "echo x > /x"], user="0")
    assert done.code != 0
    assert "Read-only file system" in done.output
