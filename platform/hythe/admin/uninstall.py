"""What `hythe uninstall` removes from the engine and the firewall; the set-up does the rest."""

from collections.abc import Callable

from sqlalchemy import create_engine, inspect, select

from hythe.engine import docker
from hythe.model import Installation
from hythe.names import Names
from hythe.settings import Settings

Say = Callable[[str], None]


def remove(settings: Settings, say: Say) -> None:
    """Remove the containers, networks, images and rules of this installation, and of no other."""
    name = _installation(settings)
    if name is None:
        say("No installation was made here; nothing is on the engine")
        return
    names = Names(name)
    engine = docker.connect()
    containers = engine.instances.list(names.labels)
    for container in containers:
        engine.instances.remove(container.id)
    networks = engine.instances.list_networks(names.labels)
    for network in networks:
        engine.instances.remove_network(network)
    images = engine.images.list(f"{names.prefix}/")
    for image in images:
        engine.images.remove(image)
    engine.instances.unisolate(names.bridge_prefix)
    say(
        f"{len(containers)} containers, {len(networks)} networks, {len(images)} images "
        "and the firewall rules are gone"
    )


def _installation(settings: Settings) -> str | None:
    """The installation's id; None when the database was never made."""
    if not settings.database_url and not (settings.home / "hythe.db").exists():
        return None
    engine = create_engine(settings.database)
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table(Installation.__tablename__):
                return None
            return connection.scalar(select(Installation.id))
    finally:
        engine.dispose()
