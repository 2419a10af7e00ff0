"""bin/test: the linters, then every test, with a real engine."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from . import dashboard, engine, environment, machine
from .output import step
from .place import CHECKOUT, Place
from .programs import check_environment
from .up import base_images

# Most tests wait for containers; three workers keep two cores busy.
PARALLEL = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", "--durations=25")
PROGRAMS = ("chromium", "slowhttptest")  # named like their packages
SERVERS = {"docker-registry": "docker-registry", "openssh-server": "sshd"}  # package: program
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/hythe-tests.conf")


def main(arguments: list[str]) -> int:
    """Run bin/check and pytest; returns the exit code of the first that fails.

    With arguments only pytest runs, with these. The engine is left as it was found.
    """
    return _with_engine("test", arguments, lambda: _run(arguments))


def chaos(arguments: list[str]) -> int:
    """Run the tests that break whole machines; they take minutes, and engines of their own."""
    command = ["-m", "chaos", "tests", "--durations=0", "-q", *arguments]
    return _with_engine("chaos", arguments, lambda: _run(command))


def _with_engine(name: str, arguments: list[str], run: Callable[[], int]) -> int:
    place = Place.of(os.environ)
    machine.become_root([name, *arguments])
    place.make()
    with place.locked():
        machine.check_disk(place, CHECKOUT)
        _install_packages(place)
        check_environment(place)
        environment.ensure(dev=True)
        dashboard.build(place)
        with step("Starting the Docker engine"):
            started = engine.ensure(place)
    try:
        base_images(place)
        return run()
    finally:
        if started:
            engine.stop(place)  # says nothing: pytest's own line is the last one


def _install_packages(place: Place) -> None:
    """What Hythe needs, and the programs that tests drive; PostgreSQL without a cluster."""
    asking = not os.environ.get("CI")
    servers = tuple(server_packages())
    if any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or not machine.program("apt-get"):
        machine.install_packages(place, asking, PROGRAMS, servers)
        return
    NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
    NO_CLUSTER.write_text("create_main_cluster = false\n")  # or Debian starts one on port 5432
    try:
        machine.install_packages(place, asking, PROGRAMS, (*servers, "postgresql"))
    finally:
        NO_CLUSTER.unlink()


def server_packages() -> list[str]:
    """Debian's servers that tests run copies of and that are missing."""
    if left_to_the_person():
        return []
    return [package for package, name in SERVERS.items() if machine.program(name) is None]


def left_to_the_person() -> bool:
    """Whether packages of servers are not for Hythe to install; tests that need them say so.

    Where an init system runs they would be started for everybody on the network.
    """
    return Path("/run/systemd/system").exists() and not os.environ.get("CI")


def _run(arguments: list[str]) -> int:
    if not arguments:
        checked = subprocess.run([str(CHECKOUT / "bin" / "check")]).returncode
        if checked != 0:
            return checked
    required = ["docker", "buildkit", "postgres", "history", *PROGRAMS]
    if not left_to_the_person():
        required += ["registry", "sshd"]
    variables = {"HYTHE_REQUIRE": ",".join(required), **os.environ}
    command = [str(environment.PYTHON), "-m", "pytest", *(arguments or PARALLEL)]
    return subprocess.run(command, cwd=CHECKOUT, env=variables).returncode
