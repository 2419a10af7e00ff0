"""bin/up and bin/down, and an installation that loses a part of itself."""

import os
import signal
import time
from collections.abc import Callable

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
