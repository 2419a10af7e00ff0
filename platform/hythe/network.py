"""Each app's own network, which addresses in it are whose, and the network of builds."""

import ipaddress
from collections.abc import Iterator, Set

from hythe.engine.port import Engine
from hythe.errors import NetworkFull
from hythe.model import App, Database
from hythe.names import Names
from hythe.settings import Settings

RELEASE_PHASE_HOST = 2  # the gateway is 1
FIRST_RUN_HOST = 3
FIRST_INSTANCE_HOST = 16
LAST_INSTANCE_HOST = 254
ROOM = (LAST_INSTANCE_HOST - FIRST_INSTANCE_HOST + 1) // 2
"""Most instances of one app: a rollout holds the addresses of the old and the new ones."""
RUN_ROOM = FIRST_INSTANCE_HOST - FIRST_RUN_HOST
"""Most one-off runs of one app at a time."""
CANDIDATES = 256


def candidates(settings: Settings, names: Names, app_id: int) -> Iterator[str]:
    """The /24 subnets that an app may get, its own favourite first.

    Where an installation starts in the range depends on its id, so that two installations on one
    machine seldom try the same subnet; the engine refuses one that is in use.
    """
    whole = ipaddress.IPv4Network(settings.subnets)
    blocks = whole.num_addresses // 256
    start = int(names.installation, 36) * 257 + app_id
    for step in range(min(CANDIDATES, blocks)):
        yield f"{whole[(start + step) % blocks * 256]}/24"


def ensure(engine: Engine, database: Database, settings: Settings, names: Names, app: App) -> str:
    """Make the app's network unless it exists; returns its subnet and remembers it.

    Raises NetworkFull when no subnet is free.
    """
    wanted = [app.subnet] if app.subnet else []
    subnet = engine.instances.ensure_network(
        names.network(app.id),
        names.bridge(app.id),
        [*wanted, *candidates(settings, names, app.id)],
        names.labels,
    )
    if subnet != app.subnet:
        with database.write() as tx:
            row = tx.get(App, app.id)
            if row is not None:
                row.subnet = subnet
        app.subnet = subnet
    return subnet


def ensure_for_builds(engine: Engine, settings: Settings, names: Names) -> str:
    """Make the network of all builds unless it exists; returns its name.

    Builds reach package registries there, but neither each other nor the host.
    """
    engine.instances.ensure_network(
        names.build_network,
        names.build_bridge,
        list(candidates(settings, names, 0)),
        names.labels,
        neighbours=False,
    )
    return names.build_network


def release_phase_address(subnet: str) -> str:
    return str(ipaddress.ip_network(subnet)[RELEASE_PHASE_HOST])


def run_addresses(subnet: str) -> list[str]:
    """The addresses that one-off runs may have."""
    network = ipaddress.ip_network(subnet)
    return [str(network[host]) for host in range(FIRST_RUN_HOST, FIRST_INSTANCE_HOST)]


def run_address(subnet: str, held: Set[str | None]) -> str:
    """An address for a one-off run; raises NetworkFull when all are held."""
    for address in run_addresses(subnet):
        if address not in held:
            return address
    raise NetworkFull(
        f"{RUN_ROOM} one-off runs are the most that an app may have at a time.",
        "Wait for one to end, or end one: `hythe runs`, `hythe runs:stop`.",
    )


def free_address(subnet: str, held: Set[str], last: str | None) -> str:
    """An address that nobody holds, the one that has rested longest: the next after `last`.

    Raises NetworkFull when all are held.
    """
    network = ipaddress.ip_network(subnet)
    size = LAST_INSTANCE_HOST - FIRST_INSTANCE_HOST + 1
    start = 0
    if last is not None and ipaddress.ip_address(last) in network:
        start = int(ipaddress.ip_address(last)) - int(network[0]) - FIRST_INSTANCE_HOST + 1
    for step in range(size):
        address = str(network[FIRST_INSTANCE_HOST + (start + step) % size])
        if address not in held:
            return address
    raise NetworkFull(
        f"All {size} addresses of {subnet} are in use.", "Scale down, or wait for old instances."
    )
