import json
from typing import Any

import pytest

from hythe.wire import BadTable, Route, RouteTable, Target

TABLE = RouteTable(
    3,
    7,
    (
        Route("shop", ("shop.localhost", "shop.example.com"), (Target("i1", "10.0.0.2", 5000),)),
        Route("blog", ("blog.localhost",), (), "H10"),
    ),
)


def test_a_table_survives_the_wire() -> None:
    assert RouteTable.loads(json.dumps(TABLE.to_json())) == TABLE


def test_keys_of_a_newer_version_are_ignored() -> None:
    document = _with(["colour"], "blue")
    document["routes"][0]["sticky"] = True
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
    ],
)
def test_a_bad_table_says_where(path: list[Any], value: Any, where: str) -> None:
    with pytest.raises(BadTable) as caught:
        RouteTable.from_json(_with(path, value))
    assert where in str(caught.value)


def test_a_table_that_is_not_json_is_refused() -> None:
    with pytest.raises(BadTable, match="not JSON"):
        RouteTable.loads("{")
