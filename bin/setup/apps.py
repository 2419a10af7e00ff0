"""Stops the containers of this installation. Runs in the checkout's environment, with its code."""

import sys
from concurrent.futures import ThreadPoolExecutor

from hythe.engine import docker
from hythe.errors import HytheError
from hythe.model.identity import Record
from hythe.names import Names
from hythe.settings import Settings


def stop() -> int:
    """Stop them all and open the firewall rules again; returns how many ran."""
    settings = Settings.read()
    record = Record.load(settings)  # the database may be away
    if record is None:
        return 0
    names = Names(record.id)
    engine = docker.connect()
    running = [
        one for one in engine.instances.list(names.labels) if one.state in ("running", "restarting")
    ]
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda one: engine.instances.stop(one.id, settings.stop_timeout), running))
    engine.instances.unisolate(names.bridge_prefix)
    return len(running)


if __name__ == "__main__":
    try:
        print(stop())
    except HytheError as error:
        sys.exit(str(error))
