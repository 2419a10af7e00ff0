"""bin/test: the linters, then every test, with a real engine."""

import os
import subprocess
from pathlib import Path

from . import engine, environment, machine
from .output import detail, step
from .place import CHECKOUT, Place
from .up import base_images

SERVERS = {"docker-registry": "docker-registry", "openssh-server": "sshd"}  # package: program


def main(arguments: list[str]) -> int:
    """Run bin/check and pytest; returns the exit code of the first that fails.

    With arguments only pytest runs, with these. The engine is left as it was found.
    """
    place = Place.of(os.environ)
    machine.become_root(["test", *arguments])
    place.make()
    with place.locked():
        machine.check_disk(place, CHECKOUT)
        machine.install_packages(place, not os.environ.get("CI"), server_packages())
        environment.ensure(dev=True)
        with step("Starting the Docker engine"):
            started = engine.ensure(place)
    try:
        base_images(place)
        return _run(arguments)
    finally:
        if started and (said := engine.stop(place)):
            detail(said)


def server_packages() -> list[str]:
    """Debian's servers that tests run copies of and that are missing.

    Where an init system runs they would be started for everybody on the network, so there they are
    left to the person; tests that need them are skipped, and say so.
    """
    if Path("/run/systemd/system").exists() and not os.environ.get("CI"):
        return []
    return [package for package, name in SERVERS.items() if machine.program(name) is None]


def _run(arguments: list[str]) -> int:
    if not arguments:
        checked = subprocess.run([str(CHECKOUT / "bin" / "check")]).returncode
        if checked != 0:
            return checked
    variables = {**os.environ, "HYTHE_REQUIRE": os.environ.get("HYTHE_REQUIRE", "docker")}
    command = [str(environment.PYTHON), "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, env=variables).returncode
