"""Dockerfile builds."""

import pytest
from images import BUSYBOX, busybox
from integration.build.conftest import Builds

from hythe.build.result import DOCKERFILE_CAPABILITIES

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("stage")]


@pytest.fixture(autouse=True)
def base(builds: Builds) -> None:
    busybox(builds.engine)


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
        "capabilities": list(DOCKERFILE_CAPABILITIES),
        "exposed": [9000],
    }


def test_a_procfile_decides_the_processes(builds: Builds) -> None:
    files = {"Dockerfile": f"FROM {BUSYBOX}\n", "Procfile": "web: httpd -f -p $PORT\nworker: x\n"}
    assert builds.succeed(files).processes == {"web": "httpd -f -p $PORT", "worker": "x"}


def test_a_dockerfile_wins_over_buildpacks_and_says_so(builds: Builds) -> None:
    files = {"Dockerfile": f'FROM {BUSYBOX}\nCMD ["sh"]\n', "requirements.txt": "flask\n"}
    deployment, build = builds.build(files)
    assert build.builder == "dockerfile"
    assert "A Dockerfile at the root wins over buildpacks" in builds.transcript(deployment.id)


def test_an_image_that_would_run_nothing_is_refused(builds: Builds) -> None:
    deployment = builds.fail({"Dockerfile": "FROM scratch\nCOPY Dockerfile /\n"})
    assert "neither CMD nor ENTRYPOINT" in (deployment.error_cause or "")


def test_a_failing_step_is_named(builds: Builds) -> None:
    deployment = builds.fail({"Dockerfile": f"FROM {BUSYBOX}\nRUN false\n"})
    assert deployment.error_code == "build"
    assert "false" in (deployment.error_cause or "")
