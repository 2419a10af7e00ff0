"""Plays one history on an installation of its own."""

import atexit
import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import tables
from simulation.clock import Clock
from simulation.events import Event
from simulation.rules import Broken
from simulation.simulation import Simulation

from hythe import network
from hythe.model import Database, base
from hythe.settings import Settings

FIRST = (  # two apps that serve, with three web instances and two
    Event(0, "create", 4),
    Event(0, "create", 3),
    Event(0, "deploy", 0),
    Event(0, "deploy", 1),
    Event(0, "wait", 1),
)
ADDRESSES = 24  # of an app's network, so that they are soon used again
SUBNETS = "10.9.0.0/22"  # four


def play(history: Sequence[Event], seed: int) -> Simulation:
    """Raises AssertionError when a rule is broken, or when it does not end as it should."""
    clock = Clock()
    settings, database = _place()
    _empty(settings, database)
    with _small_world(clock):
        simulation = Simulation(settings, database, clock, seed)
        try:
            simulation.play([*FIRST, *history])
        except Broken as broken:
            raise AssertionError(str(broken)) from broken
    return simulation


@cache
def _place() -> tuple[Settings, Database]:
    """One for all histories of a process: statements are compiled once. In memory, where there is
    such a folder, since each commit waits for its disk."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    home = tempfile.mkdtemp(prefix="hythe-simulation-", dir=memory)
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    settings = Settings(home=Path(home), subnets=SUBNETS)
    return settings, tables.ready(settings)


def _empty(settings: Settings, database: Database) -> None:
    database.close()
    for path in settings.home.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    tables.fill(settings)


@contextmanager
def _small_world(clock: Clock) -> Iterator[None]:
    real, last = base.clock, network.LAST_INSTANCE_HOST
    base.clock = clock.now
    network.LAST_INSTANCE_HOST = network.FIRST_INSTANCE_HOST + ADDRESSES - 1
    logging.disable(logging.CRITICAL)  # every fault would say a word
    try:
        yield
    finally:
        base.clock, network.LAST_INSTANCE_HOST = real, last
        logging.disable(logging.NOTSET)
