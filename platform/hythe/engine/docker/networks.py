"""Networks of apps: one bridge each, with a subnet that collides with nothing on this host."""

import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path

from docker.errors import NotFound as Absent
from docker.types import IPAMConfig, IPAMPool

from hythe.engine.docker.client import Client, label_filters, speaking
from hythe.errors import AddressTaken, EngineError, NetworkFull

ROUTES = Path("/proc/net/route")
# docs.docker.com/network/drivers/bridge: options of the bridge driver
BRIDGE_NAME = "com.docker.network.bridge.name"
BETWEEN_CONTAINERS = "com.docker.network.bridge.enable_icc"


class DockerNetworks:
    def __init__(self, client: Client) -> None:
        self._client = client

    def ensure(
        self,
        name: str,
        bridge: str,
        subnets: Sequence[str],
        labels: Mapping[str, str],
        *,
        neighbours: bool = True,
    ) -> str:
        options = {BRIDGE_NAME: bridge, BETWEEN_CONTAINERS: str(neighbours).lower()}
        if subnet := self._subnet(name):
            return subnet
        try:
            return self._made(name, options, subnets, labels)
        except EngineError:
            if subnet := self._subnet(name):  # another thread was faster
                return subnet
            raise

    def _made(
        self,
        name: str,
        options: Mapping[str, str],
        subnets: Sequence[str],
        labels: Mapping[str, str],
    ) -> str:
        taken = [*host_routes(ROUTES.read_text()), *self._subnets()]
        for candidate in map(IPv4Network, subnets):
            if any(candidate.overlaps(other) for other in taken):
                continue
            with suppress(AddressTaken):  # the engine knows of one that we did not see
                self._create(name, options, candidate, labels)
                return str(candidate)
        raise NetworkFull(
            f"None of the {len(subnets)} subnets for {name} is free on this host.",
            "Remove apps or networks that are not needed, or set HYTHE_SUBNETS to another range.",
        )

    def remove(self, name: str) -> None:
        with speaking(), suppress(Absent):
            self._client.api.remove_network(name)

    def list(self, labels: Mapping[str, str]) -> Sequence[str]:
        with speaking():
            found = self._client.api.networks(filters={"label": label_filters(labels)})
        return sorted(network["Name"] for network in found)

    def _create(
        self,
        name: str,
        options: Mapping[str, str],
        subnet: IPv4Network,
        labels: Mapping[str, str],
    ) -> None:
        pool = IPAMPool(subnet=str(subnet), gateway=str(subnet[1]))
        with speaking():
            self._client.api.create_network(
                name,
                driver="bridge",
                options=dict(options),
                ipam=IPAMConfig(pool_configs=[pool]),
                labels=dict(labels),
                check_duplicate=True,
            )

    def _subnet(self, name: str) -> str | None:
        """The subnet of the network with exactly this name."""
        with speaking():
            found = self._client.api.networks(names=[name])  # the engine matches parts of names
        return next((str(n) for f in found if f["Name"] == name for n in _pools(f)), None)

    def _subnets(self) -> Iterator[IPv4Network]:
        with speaking():
            found = self._client.api.networks()
        for network in found:
            yield from _pools(network)


def _pools(network: Mapping[str, object]) -> Iterator[IPv4Network]:
    ipam: object = network.get("IPAM")
    for pool in (ipam.get("Config") if isinstance(ipam, dict) else None) or ():
        with suppress(ValueError):  # IPv6
            yield IPv4Network(pool["Subnet"])


def host_routes(table: str) -> Iterator[IPv4Network]:
    """The networks that a routing table, in /proc/net/route's format, leads to; not the default."""
    for line in table.splitlines()[1:]:
        columns = line.split()
        target, mask = (socket.inet_ntoa(struct.pack("<L", int(columns[i], 16))) for i in (1, 7))
        if mask != "0.0.0.0":
            yield IPv4Network((target, mask), strict=False)
