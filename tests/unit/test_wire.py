import json
from typing import Any

import pytest

from hythe.route_settings import BadSetting, RouteSettings
from hythe.wire import HOLD, BadTable, Route, RouteTable, TableChange, Target

TABLE = RouteTable(
    3,
    7,
    (
        Route("shop", ("shop.localhost", "shop.example.com"), (Target("i1", "10.0.0.2", 5000),)),
        Route("blog", ("blog.localhost",), (), "H10"),
        Route(
            "docs",
            ("*.example.org", "example.org/docs"),
            (Target("i2", "10.0.0.3", 80, weight=5),),
            mode=HOLD,
            settings=RouteSettings(body_limit=0, first_byte=1.5, sticky=True),
        ),
    ),
)


def test_a_table_survives_the_wire() -> None:
    assert RouteTable.loads(json.dumps(TABLE.to_json())) == TABLE


def test_keys_of_a_newer_version_are_ignored() -> None:
    document = _with(["colour"], "blue")
    document["routes"][0]["settings"] = {"colour": "blue"}
    assert RouteTable.from_json(document) == TABLE


def _with(path: list[Any], value: Any) -> Any:
    document = json.loads(json.dumps(TABLE.to_json()))
    item = document
    for key in path[:-1]:
        item = item[key]
    item[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (["epoch"], -1, "table.epoch"),
        (["sequence"], "7", "table.sequence"),
        (["routes"], {}, "table.routes"),
        (["routes", 0, "hosts"], ["Shop.localhost"], "routes[0].hosts"),
        (["routes", 0, "redirect"], "https://x/\r\nSet-Cookie: a", "routes[0].redirect"),
        (["routes", 0, "targets", 0, "port"], 70000, "targets[0].port"),
        (["routes", 0, "targets", 0, "id"], 5, "targets[0].id"),
        (["routes", 1, "hosts"], ["shop.localhost"], "routed to both shop and blog"),
        (["routes", 1, "hosts"], ["b.com", "b.com"], "b.com twice"),
        (["routes", 1, "hosts"], ["*"], "routes[1].hosts"),
        (["routes", 1, "hosts"], ["a.*.com"], "routes[1].hosts"),
        (["routes", 1, "hosts"], ["b.com/"], "routes[1].hosts"),
        (["routes", 1, "hosts"], ["b.com/a/../b"], "routes[1].hosts"),
        (["routes", 1, "hosts"], ["b.com/a%2fb"], "routes[1].hosts"),
        (["routes", 1, "app"], "shop", "shop has two routes"),
        (["routes", 1, "mode"], "sleep", "routes[1].mode"),
        (["routes", 2, "settings", "first_byte"], 0, "first_byte must be 0.1 to 86400 seconds"),
        (["routes", 2, "settings", "sticky"], 1, "sticky must be true or false"),
        (["routes", 2, "settings"], [], "routes[2].settings"),
    ],
)
def test_a_bad_table_says_where(path: list[Any], value: Any, where: str) -> None:
    with pytest.raises(BadTable) as caught:
        RouteTable.from_json(_with(path, value))
    assert where in str(caught.value)


def test_a_table_that_is_not_json_is_refused() -> None:
    with pytest.raises(BadTable, match="not JSON"):
        RouteTable.loads("{")


def test_a_change_says_what_differs_and_survives_the_wire() -> None:
    docs = TABLE.routes[2]
    fresh = Route("new", ("new.localhost",))
    after = RouteTable(3, 9, (Route("shop", ("shop.localhost",)), docs, fresh))
    change = TableChange.between(TABLE, after)
    assert change == TableChange((3, 7), (3, 9), (after.routes[0], fresh), ("blog",))
    assert TableChange.from_json(json.loads(json.dumps(change.to_json()))) == change


@pytest.mark.parametrize("after", [None, [1], [1, "2"], [-1, 2], [1, 2, 3]])
def test_a_change_to_no_version_is_refused(after: Any) -> None:
    with pytest.raises(BadTable, match="not a version"):
        TableChange.from_json({"after": after, "version": [1, 2]})


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("body-limit", "10M", 10 * 1024**2),
        ("body_limit", "1gib", 1024**3),
        ("first-byte", "60s", 60.0),
        ("idle", "1.5m", 90.0),
        ("hold", "250ms", 0.25),
        ("rate", "20", 20),
        ("sticky", "on", True),
        ("sticky", "No", False),
        ("sticky", None, None),
    ],
)
def test_settings_are_written_as_people_do(key: str, text: str | None, value: Any) -> None:
    settings = RouteSettings().with_text(key, text)
    assert getattr(settings, key.replace("-", "_")) == value


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("colour", "blue", "colour is not a router setting"),
        ("body-limit", "10 apples", "0 to 1024G bytes"),
        ("first-byte", "0", "0.1 to 86400 seconds"),
        ("first-byte", "9d", "seconds"),
        ("rate", "-1", "0 to 1000000"),
        ("sticky", "maybe", "on or off"),
    ],
)
def test_a_bad_setting_says_what_is_good(key: str, text: str, why: str) -> None:
    with pytest.raises(BadSetting) as caught:
        RouteSettings().with_text(key, text)
    assert why in str(caught.value)
