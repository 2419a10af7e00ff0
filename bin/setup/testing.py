"""bin/test: the linters, then every test, with a real engine."""

import os
import subprocess
from pathlib import Path

from . import engine, environment, machine
from .output import detail, step
from .place import CHECKOUT, Place
from .up import base_images

NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/hythe-tests.conf")


def main(arguments: list[str]) -> int:
    """Run bin/check and pytest; returns the exit code of the first that fails.

    With arguments only pytest runs, with these. The engine is left as it was found.
    """
    place = Place.of(os.environ)
    machine.become_root(["test", *arguments])
    place.make()
    with place.locked():
        machine.check_disk(place, CHECKOUT)
        _install_packages(place)
        environment.ensure(dev=True)
        with step("Starting the Docker engine"):
            started = engine.ensure(place)
    try:
        base_images(place)
        return _run(arguments)
    finally:
        if started and (said := engine.stop(place)):
            detail(said)


def _install_packages(place: Place) -> None:
    """What Hythe needs, and PostgreSQL's programs; the tests start servers of their own."""
    asking = not os.environ.get("CI")
    if any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or not machine.program("apt-get"):
        machine.install_packages(place, asking)
        return
    NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
    NO_CLUSTER.write_text("create_main_cluster = false\n")  # or Debian starts one on port 5432
    try:
        machine.install_packages(place, asking, "postgresql")
    finally:
        NO_CLUSTER.unlink()


def _run(arguments: list[str]) -> int:
    if not arguments:
        checked = subprocess.run([str(CHECKOUT / "bin" / "check")]).returncode
        if checked != 0:
            return checked
    variables = {**os.environ, "HYTHE_REQUIRE": os.environ.get("HYTHE_REQUIRE", "docker,postgres")}
    command = [str(environment.PYTHON), "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, env=variables).returncode
