import ipaddress

import pytest

from hythe import network
from hythe.errors import NetworkFull
from hythe.names import Names
from hythe.settings import Settings

SUBNET = "10.200.7.0/24"


def test_every_app_gets_candidates_inside_the_range(settings: Settings) -> None:
    for installation in ("aaaaaa", "zzzzzz"):
        found = list(network.candidates(settings, Names(installation), 3))
        assert len(found) == len(set(found)) == network.CANDIDATES
        whole = ipaddress.ip_network(settings.subnets)
        assert all(ipaddress.ip_network(item).subnet_of(whole) for item in found)  # type: ignore[arg-type]


def test_a_freed_address_rests_while_others_are_free() -> None:
    first = network.free_address(SUBNET, set(), None)
    second = network.free_address(SUBNET, set(), first)
    assert (first, second) == ("10.200.7.16", "10.200.7.17")


def test_addresses_start_again_at_the_end_of_the_subnet() -> None:
    assert network.free_address(SUBNET, set(), "10.200.7.254") == "10.200.7.16"


def test_held_addresses_are_passed_over_and_the_end_is_an_error() -> None:
    held = {f"10.200.7.{host}" for host in range(16, 255)}
    assert network.free_address(SUBNET, held - {"10.200.7.99"}, None) == "10.200.7.99"
    with pytest.raises(NetworkFull):
        network.free_address(SUBNET, held, None)


def test_the_release_phase_has_an_address_that_no_instance_gets() -> None:
    assert network.release_phase_address(SUBNET) == "10.200.7.2"
