"""The control plane killed in the middle: a definite state, and the old release serves."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from load import Load

from bench.installation import ROOT, Installation, Project, until

FOLLOW = ("logs", "--json", "-t", "-n", "10000", "-s", "app", "-p", "web")

pytestmark = [pytest.mark.e2e, pytest.mark.docker]


@pytest.fixture(scope="module")
def project(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    project = installation.project("kill", "wsgi-bare", tmp_path_factory.mktemp("kill") / "app")
    project.push()
    yield project
    project.hythe("apps:destroy", "--confirm", project.app)


def start_push(project: Project) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["git", "push", "hythe", "main"],
        cwd=project.folder,
        env=project.installation.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill_control_plane(installation: Installation) -> None:
    pid = installation.pid("control-plane")
    os.kill(pid, signal.SIGKILL)
    until(lambda: _answers(installation) and installation.pid("control-plane") != pid, 60)


def _answers(installation: Installation) -> bool:
    try:
        installation.hythe("apps")
    except (AssertionError, OSError):
        return False
    return True


def wait_for_line(push: subprocess.Popen[str], words: str) -> None:
    assert push.stdout is not None
    seen = []
    for line in push.stdout:
        seen.append(line)
        if words in line:
            return
    raise AssertionError(f"{words!r} never came:\n{''.join(seen)}")


def last_deployment(project: Project) -> dict[str, object]:
    credentials = json.loads((project.installation.home / "credentials").read_text())
    request = urllib.request.Request(
        f"{credentials['url']}/v1/apps/{project.app}/deployments",
        headers={"Authorization": f"Bearer {credentials['token']}"},
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        items: list[dict[str, object]] = json.load(response)["items"]
    return max(items, key=lambda item: int(str(item["id"])))


def ended(project: Project) -> dict[str, object] | None:
    last = last_deployment(project)
    return last if last["status"] in ("live", "failed", "superseded") else None


def containers(project: Project, part: str) -> list[str]:
    return project.installation.containers(project.app, part)


def test_killed_in_a_build(project: Project) -> None:
    package = project.folder / "slow"
    package.mkdir()
    (package / "setup.py").write_text(
        "import time, setuptools\ntime.sleep(4)\nsetuptools.setup(name='slow', version='1')\n"
    )
    (project.folder / "requirements.txt").write_text("gunicorn==27.0.1\n./slow\n")
    project.commit("A slow build")
    with Load(project.get, rate=20) as load:
        push = start_push(project)
        wait_for_line(push, "Installing dependencies")
        until(lambda: containers(project, "build"))
        kill_control_plane(project.installation)
        push.communicate(timeout=60)
        last = until(lambda: ended(project), 90)
    assert last["status"] == "live"
    assert load.failures == []
    until(lambda: containers(project, "build") == [])


def test_killed_in_a_release_phase(project: Project) -> None:
    (project.folder / "Procfile").write_text(
        "web: gunicorn wsgi:application\nrelease: echo phase runs; sleep 6; echo phase ends\n"
    )
    (project.folder / "requirements.txt").write_text("gunicorn==27.0.1\n")
    project.commit("A slow release phase")
    with Load(project.get, rate=20) as load:
        push = start_push(project)
        wait_for_line(push, "phase runs")
        kill_control_plane(project.installation)
        push.communicate(timeout=60)
        last = until(lambda: ended(project), 90)
    assert last["status"] == "live"
    assert load.failures == []
    until(lambda: containers(project, "release") == [])


def test_killed_in_a_cutover(project: Project) -> None:
    (project.folder / "Procfile").write_text(
        "web: sleep 3; exec python3 -m http.server $PORT --bind 0.0.0.0\n"
    )
    project.commit("A slow boot")
    with Load(project.get, rate=20) as load:
        push = start_push(project)
        wait_for_line(push, "Starting web.1")
        time.sleep(1)
        kill_control_plane(project.installation)
        push.communicate(timeout=60)
        last = until(lambda: ended(project), 90)
        until(lambda: len(containers(project, "web")) == 1, 60)
    assert last["status"] == "live"
    assert load.failures == []


def test_killed_while_logs_are_followed(project: Project) -> None:
    """Control plane and collector, each in the middle: no gap, no repeat."""
    lines, installation = 4000, project.installation
    (project.folder / "Procfile").write_text(
        f"web: (for i in $(seq 0 100 {lines - 1}); do seq $i $((i+99)); sleep 0.1; done) &"
        " exec python3 -m http.server $PORT --bind 0.0.0.0\n"
    )
    project.commit("A flood")
    project.push()
    follow = subprocess.Popen(
        ["timeout", "60", str(ROOT / "bin" / "hythe"), *FOLLOW],
        cwd=project.folder,
        env=installation.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert follow.stdout is not None
    seen: list[int] = []
    for line in follow.stdout:
        text = json.loads(line)["text"]
        if text.isdecimal():
            seen.append(int(text))
            if len(seen) in (lines // 3, lines // 2):
                os.kill(installation.pid("collector"), signal.SIGKILL)
            if len(seen) == lines // 2:
                os.kill(installation.pid("control-plane"), signal.SIGKILL)
            if seen[-1] == lines - 1:
                break
    follow.kill()
    follow.wait()
    assert seen == list(range(lines))
    until(lambda: _answers(installation), 60)


@pytest.mark.chaos
def test_killed_while_one_off_runs_go_on(project: Project) -> None:
    """What had a client ends with it, what had none goes on; both are known afterwards."""
    attached = subprocess.Popen(
        [str(ROOT / "bin" / "hythe"), "run", "--", "cat"],
        cwd=project.folder,
        env=project.installation.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert attached.stdin is not None
    assert attached.stdout is not None
    attached.stdin.write(b"hello\n")
    attached.stdin.flush()
    assert attached.stdout.readline() == b"hello\n"
    project.hythe("run:detached", "sleep 5; echo survived; exit 3")
    until(lambda: [run["state"] for run in _runs(project)] == ["running", "running"])
    kill_control_plane(project.installation)
    assert attached.wait(30) == 3  # out of reach
    until(lambda: [run["state"] for run in _runs(project)] == ["ended", "ended"], 60)
    detached, with_client = _runs(project)
    assert (detached["reason"], detached["exit_code"]) == ("exited", 3)
    assert (with_client["reason"], with_client["exit_code"]) == ("exited", 0)  # its input ended
    until(lambda: containers(project, "run") == [])
    assert "app[run.2]: survived" in project.hythe("logs", "-n", "1000", "-p", "run")


def _runs(project: Project) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(project.hythe("runs", "--json"))
    return found


def test_the_nursery_of_builds_killed_while_idle(
    installation: Installation, project: Project
) -> None:
    plane = installation.pid("control-plane")

    def nursery() -> int:
        """The control plane's fork: it has the same command line."""
        mine = Path(f"/proc/{plane}/cmdline").read_bytes()
        for pid in Path(f"/proc/{plane}/task/{plane}/children").read_text().split():
            with suppress(OSError):
                if Path(f"/proc/{pid}/cmdline").read_bytes() == mine:
                    return int(pid)
        return 0

    before = nursery()
    os.kill(before, signal.SIGKILL)
    until(lambda: nursery() not in (0, before) and _answers(installation), 60)
    assert installation.pid("control-plane") == plane  # a new image of the same process
    (project.folder / "changed").touch()
    project.commit("After the nursery was killed")
    project.push()


def test_the_router_serves_while_the_control_plane_is_away(
    installation: Installation, project: Project
) -> None:
    supervisor = installation.pid("supervisor")
    os.kill(supervisor, signal.SIGSTOP)
    try:
        os.kill(installation.pid("control-plane"), signal.SIGKILL)
        for _ in range(20):
            assert project.get().status == 200
            time.sleep(0.05)
    finally:
        os.kill(supervisor, signal.SIGCONT)
    until(lambda: _answers(installation), 60)
