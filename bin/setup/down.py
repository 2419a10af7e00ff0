"""bin/down: stop what bin/up started, and nothing else."""

import argparse
import subprocess
from pathlib import Path

from . import engine, environment, machine, others, service, supervisor
from .output import Problem, detail, say, step
from .place import Place
from .programs import programs


def main(arguments: list[str]) -> int:
    argparse.ArgumentParser(
        prog="bin/down",
        description="Stop Hythe and its apps, and the Docker engine if bin/up started that. Data, "
        "images and releases stay, and bin/up brings everything back.",
    ).parse_args(arguments)
    place = machine.here(["down", *arguments])
    if not place.home.exists():
        say("=====> Hythe was never started here")
        return 0
    machine.become_root(["down", *arguments])
    place.make()
    with place.locked():
        stop(place)
    return 0


def stop(place: Place) -> None:
    """Routers stop before apps, so that no request meets an app that is gone."""
    supervisor.stop(place)
    if service.installed(place):
        with step("Stopping Hythe's services"):
            service.stop()
    for program in programs(place):
        with step(f"Stopping the {program.name.replace('-', ' ')}"):
            program.stop(place)
    others.refuse(place, "bin/down")
    if place.credentials.exists() and environment.PYTHON.exists() and engine.answers():
        with step("Stopping the apps"):
            _stop_apps(place)
    with step("Stopping the Docker engine"):
        said = engine.stop(place)
    if said:
        detail(said)
    say("=====> Hythe is stopped; bin/up starts it again")


def _stop_apps(place: Place) -> None:
    script = Path(__file__).with_name("apps.py")
    done = subprocess.run(
        [str(environment.PYTHON), str(script)],
        env=place.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise Problem(
            "The apps' containers were not stopped.",
            "Run bin/up, which mends the set-up, and then bin/down again.",
            done.stderr.strip(),
        )
