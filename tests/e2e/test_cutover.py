"""Deploys, rollbacks, scaling and config under load: not one failed request."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from load import Load

from bench.installation import Installation, Project, until

pytestmark = [pytest.mark.e2e, pytest.mark.docker]


@pytest.fixture(scope="module")
def project(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("cutover") / "app"
    project = installation.project("cutover", "flask-worker", folder)
    project.push()
    return project


def greeting(project: Project, word: str) -> None:
    path = project.folder / "app.py"
    lines = path.read_text().splitlines()
    lines = [line for line in lines if not line.startswith("# greeting")]
    path.write_text("\n".join([*lines, f"# greeting {word}"]) + "\n")
    project.commit(f"Say {word}")


def release(project: Project) -> str:
    return str(project.get().json()["release"])


def test_pushes_rollback_scaling_and_config_lose_no_request(project: Project) -> None:
    with Load(project.get) as load:
        greeting(project, "two")
        output = project.push()
        assert "deployed (v2)" in output
        counted = re.search(r"([\d,]+) requests during the switch, 0 failed", output)
        assert counted is not None, output
        assert int(counted[1].replace(",", "")) > 0
        assert release(project) == "v2"
        assert "done, now running web at 3" in project.hythe("ps:scale", "web=3")
        until(lambda: project.hythe("ps").count(": up for") == 3)
        greeting(project, "three")
        project.push()
        assert release(project) == "v3"
        printed = project.hythe("rollback")
        assert "to v2... done, v4" in printed
        assert release(project) == "v4"
        project.hythe("config:set", "GREETING=Moin")
        assert project.get().json()["greeting"] == "Moin"
        project.hythe("ps:restart")
        project.hythe("ps:scale", "web=1")
        until(lambda: project.hythe("ps").count(": up for") == 1)
        time.sleep(1)
    assert load.failures == []
    assert load.answered > 200
    ended = until(lambda: json.loads(project.hythe("releases:info", "v2", "--json"))["switch"])
    assert (ended["failed"], ended["errors"]) == (0, {})


def test_an_unchanged_lock_is_not_installed_again(project: Project) -> None:
    greeting(project, "cached")
    output = project.push()
    assert "Using the installed dependencies" in output or "unchanged" in output, output


def test_the_release_phase_ran_before_the_release(project: Project) -> None:
    greeting(project, "phase")
    output = project.push()
    prepared, started = output.index("preparing v"), output.index("Starting web.1")
    assert prepared < started


def test_a_failing_release_phase_on_config_keeps_the_old_release(project: Project) -> None:
    before = release(project)
    printed = project.hythe("config:set", "RELEASE_FAILS=1", fails=True)
    assert "release phase" in printed
    assert release(project) == before
    project.hythe("config:unset", "RELEASE_FAILS")


def test_the_worker_runs_and_its_lines_are_in_the_log(project: Project) -> None:
    project.hythe("ps:scale", "worker=1")
    until(lambda: "worker.1: up" in project.hythe("ps"))
    until(lambda: "worker.1 at work" in project.hythe("logs", "-n", "200"))
    project.hythe("ps:scale", "worker=0")
    until(lambda: "worker.1" not in project.hythe("ps"))
    assert "stopping after" in project.hythe("logs", "-n", "500")


def test_two_pushes_at_once_end_with_the_newest(project: Project, tmp_path: Path) -> None:
    greeting(project, "first-of-two")
    first = subprocess.Popen(
        ["git", "push", "hythe", "main"],
        cwd=project.folder,
        env=project.installation.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    other = tmp_path / "other"
    project.installation.run("git", "clone", "-q", str(project.folder), str(other))
    second = Project(project.installation, project.app, other)
    project.installation.hythe("git:remote", "-a", project.app, folder=other)
    greeting(second, "second-of-two")
    second.push("+main")
    first.communicate(timeout=120)
    serving = [item for item in json.loads(project.hythe("releases", "--json")) if item["serving"]]
    assert [f"v{item['version']}" for item in serving] == [release(project)]
    until(lambda: project.hythe("ps").count(": up for") == 1)
    pushed = project.installation.run("git", "rev-parse", "HEAD", folder=other).strip()
    assert pushed[:7] in serving[0]["description"]


def test_maintenance_and_pause_take_effect_at_once(project: Project) -> None:
    before = release(project)
    project.hythe("maintenance:on")
    until(lambda: project.get().status == 503)
    assert project.get().headers["hythe-error"] == "H80"
    project.hythe("maintenance:off")
    until(lambda: project.get().status == 200)
    project.hythe("routing:set", "hold=1s")
    project.hythe("routing:pause")
    until(lambda: project.get().headers.get("hythe-error") == "H20")
    project.hythe("routing:resume")
    until(lambda: project.get().status == 200)
    assert release(project) == before


def test_the_router_takes_up_new_code_under_load(project: Project) -> None:
    home = project.installation.home
    master = int((home / "run" / "router.pid").read_text().split()[0])

    def workers() -> set[str]:
        return set(Path(f"/proc/{master}/task/{master}/children").read_text().split())

    old = workers()
    with Load(project.get) as load:
        os.kill(master, signal.SIGUSR2)
        until(lambda: len(workers() - old) >= 2 and not old & workers())
        time.sleep(0.5)
    assert load.failures == []
    assert project.installation.hythe("apps")  # the control plane has not lost its router
    greeting(project, "after the upgrade")
    project.push("+main")  # an earlier test left another commit there
