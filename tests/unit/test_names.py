import pytest

from hythe import names
from hythe.errors import InvalidName
from hythe.names import Names


@pytest.mark.parametrize("name", ["a", "shop", "my-shop-2", "a" * 40])
def test_app_names_are_dns_labels(name: str) -> None:
    assert names.app_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-shop",
        "shop-",
        "Shop",
        "shop_1",
        "1shop",
        "a" * 41,
        "sh op",
        "shöp",
        "api",
        "a.b",
        "a\n",
    ],
)
def test_other_app_names_are_refused_with_a_fix(name: str) -> None:
    with pytest.raises(InvalidName) as caught:
        names.app_name(name)
    assert caught.value.fix


@pytest.mark.parametrize("key", ["PORT", "HYTHE_APP", "1A", "A-B", "", "A B"])
def test_config_keys_that_are_hythes_or_no_identifiers_are_refused(key: str) -> None:
    with pytest.raises(InvalidName):
        names.config_key(key)


def test_host_names_are_lower_case_without_trailing_dot() -> None:
    assert names.host_name("Shop.Example.COM.") == "shop.example.com"


@pytest.mark.parametrize("host", ["", "-a.com", "a..b", "a b.com", "x" * 64 + ".com", "*.a.com"])
def test_other_domains_are_refused(host: str) -> None:
    with pytest.raises(InvalidName):
        names.host_name(host)


def test_bridges_fit_the_kernels_limit() -> None:
    assert len(Names("abc123").bridge(0xFFFFFFF)) <= 15


def test_names_of_two_installations_do_not_meet() -> None:
    one, two = Names("aaaaaa"), Names("bbbbbb")
    assert one.network(1) != two.network(1)
    assert one.instance("a", "web", 1, 1) != two.instance("a", "web", 1, 1)
    assert one.app_image(1, "b1") != two.app_image(1, "b1")
