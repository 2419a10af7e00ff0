"""hythe uninstall --confirm: remove this installation, and say what stays on the machine."""

import argparse
import shutil
import subprocess

from . import engine, environment, machine, others, service, supervisor
from .output import Problem, detail, say, step
from .place import CHECKOUT, Place
from .programs import programs


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="hythe uninstall", description=__doc__)
    parser.add_argument("--confirm", action="store_true", help="do it; nothing brings it back")
    options = parser.parse_args(arguments)
    place = machine.here(["uninstall", *arguments])
    if not (place.home / "key").exists():
        raise Problem(
            f"There is no installation in {place.home}.", "Set HYTHE_HOME to the one you mean."
        )
    if not options.confirm:
        raise Problem(
            f"This removes {place.home} with all apps, their code, config, images and containers.",
            "Back up first (`hythe backup FILE`); then: hythe uninstall --confirm",
        )
    machine.become_root(["uninstall", *arguments])
    with place.locked():
        uninstall(place)
    return 0


def uninstall(place: Place) -> None:
    """Programs first, then what they kept; the home goes last, since it knows what is whose."""
    if service.installed(place):
        service.uninstall(place)
    supervisor.stop(place)
    for program in programs(place):
        with step(f"Stopping the {program.name.replace('-', ' ')}"):
            program.stop(place)
    others.refuse(place, "hythe uninstall --confirm")
    with step("Starting the Docker engine"):
        engine.ensure(place)
    _clear_engine(place)
    with step("Stopping the Docker engine"):
        said = engine.stop(place)
    shutil.rmtree(place.home)
    say(f"=====> {place.home} is gone, and all that belonged to it")
    _say_what_stays(place, said)


def _clear_engine(place: Place) -> None:
    with step("Removing containers, networks and images"):
        done = subprocess.run(
            [str(environment.PYTHON), "-m", "hythe.admin", "uninstall"],
            env=place.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    if done.returncode != 0:
        raise Problem(
            "Not everything could be removed from the engine, so nothing else was.",
            "Correct what it says above, and run it again.",
            (done.stdout + done.stderr).strip(),
        )
    for line in done.stdout.splitlines():
        detail(line)


def _say_what_stays(place: Place, said: str) -> None:
    detail(said or "The Docker engine stays as it was.")
    detail("What stays: Debian packages, the base images (hythe-stack/*), which others may use,")
    detail(f"the checkout with its environment, {CHECKOUT},")
    if place.database_url:
        detail(f"the tables of {place.database_url}, whose operator drops them,")
    detail("and net.ipv4.tcp_migrate_req, which the router sets to 1, until the next boot.")
