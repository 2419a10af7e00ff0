import json

import pytest

from .conftest import Hythe

pytestmark = pytest.mark.usefixtures("shop")


def test_settings_are_set_shown_and_unset(hythe: Hythe) -> None:
    done = hythe("routing:set", "body-limit=10M", "sticky=on")
    assert done.out == "Setting body-limit, sticky... done\n"
    shown = hythe("routing").out
    assert shown.startswith("=== shop Routing (serve)\n")
    rows = [line.split() for line in shown.splitlines()]
    assert ["body-limit", "10M"] in [row[:2] for row in rows]
    assert ["first-byte", "30s", "(default)"] in [row[:3] for row in rows]
    assert hythe("routing:unset", "body-limit").code == 0
    settings = json.loads(hythe("routing", "--json").out)["settings"]
    assert [one["key"] for one in settings if one["value"]] == ["sticky"]


def test_a_bad_setting_says_what_there_is(hythe: Hythe) -> None:
    refused = hythe("routing:set", "colour=blue")
    assert refused.code == 1
    assert "colour is not a router setting" in refused.err
    assert "body-limit" in refused.err
    assert hythe("routing:set", "sticky").code == 2


def test_maintenance_is_switched_on_and_off(hythe: Hythe) -> None:
    assert hythe("maintenance").out == "off\n"
    assert hythe("maintenance:on").out == "Enabling maintenance mode for shop... done\n"
    assert hythe("maintenance").out == "on\n"
    assert hythe("maintenance:off").code == 0
    assert json.loads(hythe("maintenance", "--json").out) == {"maintenance": False}
    assert hythe("routing:pause").out == "Pausing shop... done\n"
    assert "(hold)" in hythe("routing").out
    assert hythe("routing:resume").out == "Resuming shop... done\n"


def test_domains_may_be_wildcards_and_have_a_path(hythe: Hythe) -> None:
    hythe("domains:add", "*.example.com")
    added = hythe("domains:add", "example.com", "--path", "/shop")
    assert added.out == "Adding example.com/shop to shop... done\n"
    assert hythe("domains").out == "shop.localhost\n*.example.com\nexample.com/shop\n"
    assert hythe("domains:remove", "example.com/shop").code == 0
    assert hythe("domains").out == "shop.localhost\n*.example.com\n"
