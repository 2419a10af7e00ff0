"""Dockerfile builds."""

import secrets
import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_network

import pytest
from images import BUSYBOX, busybox
from integration.build.conftest import Builds

from hythe import network
from hythe.build.nursery import Nursery
from hythe.build.result import IMAGE_CAPABILITIES

pytestmark = [pytest.mark.docker, pytest.mark.one_database("it is about containers")]
LIMITS = {"build_memory": 64 << 20, "build_timeout": 8}


@pytest.fixture
def nursery(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nursery]:
    """Whose builds run with an operator's settings."""
    monkeypatch.setenv("NO_PROXY", "operator.test")
    monkeypatch.setenv("PIP_INDEX_URL", "http://index.test/")
    nursery = Nursery.start()
    yield nursery
    nursery.stop()


@pytest.fixture(autouse=True)
def base(builds: Builds) -> None:
    busybox(builds.engine)


@pytest.mark.usefixtures("stage")
def test_the_image_runs_its_own_command_as_web(builds: Builds) -> None:
    text = f'FROM {BUSYBOX}\nUSER 7\nEXPOSE 9000\nCMD ["httpd", "-f", "-p", "9000"]\n'
    build = builds.succeed({"Dockerfile": text})
    assert build.builder == "dockerfile"
    assert build.processes == {"web": ""}
    assert build.result == {
        "kind": "dockerfile",
        "launch": ["/bin/sh", "-c"],
        "init": True,
        "user": "7",
        "capabilities": list(IMAGE_CAPABILITIES),
        "exposed": [9000],
    }


@pytest.mark.usefixtures("stage")
def test_a_procfile_decides_the_processes(builds: Builds) -> None:
    files = {"Dockerfile": f"FROM {BUSYBOX}\n", "Procfile": "web: httpd -f -p $PORT\nworker: x\n"}
    assert builds.succeed(files).processes == {"web": "httpd -f -p $PORT", "worker": "x"}


@pytest.mark.usefixtures("stage")
def test_a_dockerfile_wins_over_buildpacks_and_says_so(builds: Builds) -> None:
    files = {"Dockerfile": f'FROM {BUSYBOX}\nCMD ["sh"]\n', "requirements.txt": "flask\n"}
    deployment, build = builds.build(files)
    assert build.builder == "dockerfile"
    assert "A Dockerfile at the root wins over buildpacks" in builds.transcript(deployment.id)


@pytest.mark.usefixtures("stage")
def test_an_image_that_would_run_nothing_is_refused(builds: Builds) -> None:
    deployment = builds.fail({"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
    assert "neither CMD nor ENTRYPOINT" in (deployment.error_cause or "")


@pytest.mark.usefixtures("stage")
def test_a_failing_step_is_named(builds: Builds) -> None:
    deployment = builds.fail({"Dockerfile": f"FROM {BUSYBOX}\nRUN false\n"})
    assert deployment.error_code == "build"
    assert "false" in (deployment.error_cause or "")


@pytest.mark.usefixtures("stage")
def test_a_syntax_error_is_told(builds: Builds) -> None:
    deployment = builds.fail({"Dockerfile": f"FROM {BUSYBOX}\nRUNN true\n"})
    assert deployment.error_code == "build"
    assert "RUNN" in (deployment.error_cause or "")
    assert deployment.error_fix and builds.containers() == []


@pytest.mark.usefixtures("stage")
def test_the_operators_settings_reach_the_steps(builds: Builds) -> None:
    mount = "--mount=type=secret,id=PIP_INDEX_URL"
    run = f"RUN {mount} echo $((1 + 1)) $NO_PROXY $(cat /run/secrets/PIP_INDEX_URL)"
    first = f"RUN echo {secrets.token_hex(8)}"  # or the engine may have the steps in its cache
    deployment, _ = builds.build({"Dockerfile": f"FROM {BUSYBOX}\n{first}\n{run}\nCMD x\n"})
    assert "2 operator.test http://index.test/" in builds.transcript(deployment.id)


def test_a_step_over_the_memory_limit_is_told_so(
    builds: Builds, start: Callable[..., object]
) -> None:
    start(**LIMITS)
    deployment = builds.fail({"Dockerfile": f"FROM {BUSYBOX}\nRUN tail /dev/zero\n"})
    assert "more than the 64 MiB of a build" in (deployment.error_cause or "")
    assert "HYTHE_BUILD_MEMORY" in (deployment.error_fix or "")


def test_a_step_over_the_time_limit_is_ended(builds: Builds, start: Callable[..., object]) -> None:
    start(**LIMITS)
    deployment = builds.fail({"Dockerfile": f"FROM {BUSYBOX}\nRUN sleep 300\n"})
    assert deployment.error_cause == "The build took longer than 8 s; it was at build."


@pytest.mark.usefixtures("stage")
def test_a_step_reaches_no_port_of_the_host(builds: Builds) -> None:
    names, instances = builds.names, builds.engine.instances
    network.ensure_for_builds(builds.engine, builds.settings, names)
    subnet = instances.ensure_network(names.build_network, names.build_bridge, [], names.labels)
    instances.isolate(names.bridge_prefix, [])
    try:
        with socket.create_server(("0.0.0.0", 0)) as server:
            address = f"{ip_network(subnet)[1]} {server.getsockname()[1]}"
            step = f"RUN nc -w 3 {address} </dev/null && echo reached || echo refused, $?"
            deployment, _ = builds.build({"Dockerfile": f"FROM {BUSYBOX}\n{step}\nCMD sh\n"})
    finally:
        instances.unisolate(names.bridge_prefix)
    transcript = builds.transcript(deployment.id)
    assert "\n       refused, 1" in transcript, transcript
