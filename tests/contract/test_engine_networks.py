"""Networks: what both engines promise."""

from ipaddress import ip_network

import pytest
from contract.kit import SUBNETS, Kit

from hythe.errors import NetworkFull


def test_repeated_network_is_the_first(kit: Kit) -> None:
    name, subnet = kit.network()
    assert kit.instances.ensure_network(name, f"{kit.prefix}z", SUBNETS, kit.labels) == subnet
    assert kit.instances.list_networks(kit.labels) == [name]


def test_name_that_begins_like_another_is_another_network(kit: Kit) -> None:
    name, subnet = kit.network()
    longer = kit.instances.ensure_network(f"{name}0", f"{kit.prefix}z", SUBNETS, kit.labels)
    assert not ip_network(longer).overlaps(ip_network(subnet))
    assert kit.instances.ensure_network(name, f"{kit.prefix}y", SUBNETS, kit.labels) == subnet


def test_taken_subnets_are_passed_over(kit: Kit) -> None:
    _, taken = kit.network()
    free = next(subnet for subnet in reversed(SUBNETS) if subnet != taken)
    bridge = f"{kit.prefix}z"
    assert kit.instances.ensure_network(kit.name(), bridge, [taken, free], kit.labels) == free


def test_no_free_subnet_is_an_error(kit: Kit) -> None:
    _, taken = kit.network()
    with pytest.raises(NetworkFull):
        kit.instances.ensure_network(kit.name(), f"{kit.prefix}z", [taken], kit.labels)


def test_removed_network_is_gone_and_absent_is_fine(kit: Kit) -> None:
    name, _ = kit.network()
    kit.instances.remove_network(name)
    kit.instances.remove_network(name)
    assert kit.instances.list_networks(kit.labels) == []
