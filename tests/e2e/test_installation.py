"""bin/up and bin/down, and an installation that loses a part of itself."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import belongings
from bench.installation import Installation, Project, until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

Make = Callable[[str], Project]
PROGRAMS = ("control-plane", "router", "collector", "supervisor")


def answers(project: Project) -> bool:
    try:
        return project.get().status == 200
    except OSError:
        return False


def kill(installation: Installation, program: str) -> int:
    pid = installation.pid(program)
    os.kill(pid, signal.SIGKILL)
    return pid


def test_up_again_changes_nothing(installation: Installation) -> None:
    before = [installation.pid(program) for program in PROGRAMS]
    started = time.monotonic()
    assert "Hythe runs already" in installation.up("--no-example")
    assert time.monotonic() - started < 5
    assert [installation.pid(program) for program in PROGRAMS] == before


def test_apps_serve_on_while_the_control_plane_is_killed_and_comes_back(
    installation: Installation, make_project: Make
) -> None:
    project = make_project("wsgi-bare")
    project.push()
    killed = kill(installation, "control-plane")
    assert answers(project)
    until(lambda: installation.pid("control-plane") != killed)
    until(lambda: answers(project))
    assert "web.1" in until(lambda: _ps(project))


def _ps(project: Project) -> str:
    try:
        return project.hythe("ps")
    except AssertionError:
        return ""  # it is not up yet


def test_killed_router_comes_back_with_its_table(
    installation: Installation, make_project: Make
) -> None:
    project = make_project("wsgi-bare")
    project.push()
    kill(installation, "router")
    until(lambda: answers(project))


def test_up_after_a_killed_supervisor_touches_nothing_else(installation: Installation) -> None:
    control, router = installation.pid("control-plane"), installation.pid("router")
    killed = kill(installation, "supervisor")
    installation.up("--no-example")
    assert installation.pid("supervisor") != killed
    assert (installation.pid("control-plane"), installation.pid("router")) == (control, router)


def test_other_settings_are_refused_while_it_runs(installation: Installation) -> None:
    environment = dict(installation.environment)
    try:
        installation.environment["HYTHE_ROUTER_WORKERS"] = "3"
        with pytest.raises(AssertionError, match="other settings: HYTHE_ROUTER_WORKERS=2"):
            installation.up("--no-example")
    finally:
        installation.environment = environment


def test_other_people_of_the_machine_read_nothing_of_it(
    installation: Installation, make_project: Make
) -> None:
    make_project("wsgi-bare").push()
    paths = sorted(installation.home.rglob("*"))
    assert installation.home / "repositories" in paths
    readable = {
        Path(name).parts[0]
        for user in (65534, 1000)  # the router's workers, and the first person, as builds are
        for name in _readable(user, installation.home, paths)
    }
    assert "run" in readable
    assert readable <= {"installation", "run", "stack", "hello-deployed"}  # names, ids, ports


def _readable(user: int, home: Path, paths: list[Path]) -> list[str]:
    """What a user of the machine can open, tried out; whatever is above the home lets them."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'while IFS= read -r name; do [ -r "$name" ] && echo "$name"; done; :'],
        cwd=home,  # entered as root
        input="\n".join(str(path.relative_to(home)) for path in paths),
        capture_output=True,
        text=True,
        check=True,
        user=user,
        group=user,
        extra_groups=[],
    )
    return done.stdout.splitlines()


def test_down_stops_everything_and_up_brings_it_back(
    installation: Installation, make_project: Make
) -> None:
    project = make_project("wsgi-bare")
    project.push()
    pids = [installation.pid(program) for program in PROGRAMS]
    mine = belongings.of_installation(installation.id)
    assert belongings.names(mine, running=True)

    assert "Hythe is stopped" in installation.down()

    assert belongings.names(mine, running=True) == []
    assert not any(os.path.exists(f"/proc/{pid}/fd/0") for pid in pids)  # noqa: PTH110
    assert not answers(project)
    assert "Hythe is stopped" in installation.down()

    installation.up("--no-example")
    assert answers(project)
