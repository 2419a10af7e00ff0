"""What `hythe uninstall` removes from the engine and the firewall; the set-up does the rest."""

from collections.abc import Callable
from dataclasses import replace

from hythe.admin.reading import reading
from hythe.engine import docker
from hythe.model.connect import shown
from hythe.model.identity import Record, require_own
from hythe.names import Names
from hythe.settings import Settings

Say = Callable[[str], None]


def remove(settings: Settings, say: Say) -> None:
    """Remove the containers, networks, images and rules of this installation, and of no other."""
    name = _installation(settings)
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
    left = engine.images.list(f"{names.prefix}/")  # another installation's container uses them
    engine.instances.unisolate(names.bridge_prefix)
    say(
        f"{len(containers)} containers, {len(networks)} networks, "
        f"{len(images) - len(left)} images and the firewall rules are gone"
    )
    if left:
        say(f"{len(left)} images stay, since a container uses them: {', '.join(left[:3])}")
    if url := _shared_database(settings):
        say(f"{url} keeps its tables; drop it yourself")


def _installation(settings: Settings) -> str:
    """The installation's id, as HYTHE_HOME says; its database may be away. Raises PlatformError."""
    record = Record.load(settings)
    if record is not None:
        return record.id
    with reading(settings) as connection:  # an old installation, or one half made
        return require_own(settings, connection)


def _shared_database(settings: Settings) -> str:
    """Where the rows are when they are not in HYTHE_HOME."""
    record = Record.load(settings)
    url = record.database if record is not None else shown(settings.database)
    own = shown(replace(settings, database_url="").database)
    return "" if url == own else url
