"""How a worker's table changes: counts stay, retired targets are waited for, waiters look again."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hythe.route.options import RouterOptions
from hythe.route.rules import RuleBook
from hythe.route.table import AmbiguousPath, LiveTable
from hythe.route.waiting import Waiting
from hythe.route_settings import RouteSettings
from hythe.wire import Route, Target

HOST = "a.localhost"


def make_live(*routes: Route, quiet=lambda: None) -> LiveTable:
    live = LiveTable(RuleBook(RouterOptions(log=Path("/dev/null"))), quiet)
    live.apply((1, 1), routes)
    return live


def make_route(*targets: str, app: str = "a", hosts: tuple[str, ...] = (HOST,), **given) -> Route:
    return Route(app, hosts, tuple(Target(t, "127.0.0.1", 5000) for t in targets), **given)


def upstreams(live: LiveTable, host: str = HOST):
    return live.find(host, b"/").upstreams


def test_a_target_that_stays_keeps_its_count():
    live = make_live(make_route("i1"))
    upstreams(live)[0].enter()
    live.apply((1, 2), [make_route("i1", "i2")])
    assert live.in_flight() == {"i1": 1}
    assert [u.target.id for u in upstreams(live)] == ["i1", "i2"]


def test_a_retired_target_is_counted_until_it_is_quiet():
    quiet = []
    live = make_live(make_route("i1"), quiet=lambda: quiet.append(1))
    upstream = upstreams(live)[0]
    upstream.enter()
    upstream.enter()
    live.apply((1, 2), [make_route("i2")])
    upstream.leave()
    assert live.in_flight() == {"i1": 1}
    assert quiet == []
    upstream.leave()
    assert live.in_flight() == {}
    assert quiet == [1]
    assert upstream not in live.upstreams.values()


def test_a_target_that_comes_back_is_the_same_again():
    live = make_live(make_route("i1"))
    upstream = upstreams(live)[0]
    upstream.enter()
    live.apply((1, 2), [make_route()])
    live.apply((1, 3), [make_route("i1")])
    assert upstreams(live) == [upstream]
    upstream.leave()
    assert upstream in live.upstreams.values()


def test_a_change_leaves_all_other_routes_as_they_are():
    live = make_live(make_route("i1"), make_route("i2", app="b", hosts=("b.localhost",)))
    other = live.find("b.localhost", b"/")
    live.apply((1, 2), [make_route("i3", hosts=("www.example.com",))])
    assert live.find(HOST, b"/") is None
    assert live.find("www.example.com", b"/").wire.app == "a"
    assert live.find("b.localhost", b"/") is other
    live.apply((1, 3), [], ["a"])
    assert live.find("www.example.com", b"/") is None
    assert live.version == (1, 3)


def test_a_host_can_move_from_one_app_to_another_in_one_change():
    live = make_live(make_route("i1"), make_route("i2", app="b", hosts=("b.localhost",)))
    live.apply((1, 2), [make_route("i2", app="b", hosts=(HOST,)), make_route("i1", hosts=())])
    assert live.find(HOST, b"/").wire.app == "b"
    assert live.find("b.localhost", b"/") is None


def test_an_exact_name_goes_before_a_wildcard_and_a_long_wildcard_before_a_short_one():
    live = make_live(
        make_route(app="exact", hosts=("shop.example.com",)),
        make_route(app="wide", hosts=("*.example.com",)),
        make_route(app="narrow", hosts=("*.eu.example.com",)),
    )
    found = {
        host: route.wire.app if (route := live.find(host, b"/")) else None
        for host in (
            "shop.example.com", "a.example.com", "a.b.example.com", "a.eu.example.com",
            "example.com", "notexample.com", "eu.example.com",
        )
    }  # fmt: skip
    assert found == {
        "shop.example.com": "exact",
        "a.example.com": "wide",
        "a.b.example.com": "wide",
        "a.eu.example.com": "narrow",
        "example.com": None,
        "notexample.com": None,
        "eu.example.com": "wide",
    }


@pytest.fixture
def prefixed() -> LiveTable:
    return make_live(
        make_route(app="root", hosts=("x.com",)),
        make_route(app="api", hosts=("x.com/api",)),
        make_route(app="deep", hosts=("x.com/api/v2", "y.com/only")),
    )


@pytest.mark.parametrize(
    ("target", "app"),
    [
        (b"/", "root"),
        (b"*", "root"),
        (b"/api", "api"),
        (b"/api?x=/../", "api"),
        (b"/api/", "api"),
        (b"/apix", "root"),
        (b"/api/v2/x", "deep"),
        (b"/%61pi/x", "api"),  # RFC 3986: the same as /api/x
        (b"/api/a%20b", "api"),
        (b"/a//b", "root"),
        (b"/a/../b", "root"),
        (b"/files/a%2Fb", "root"),
        (b"/api/x/../y", "api"),
    ],
)
def test_the_longest_path_counts(prefixed: LiveTable, target: bytes, app: str):
    assert prefixed.find("x.com", target).wire.app == app


@pytest.mark.parametrize(
    "target",
    [
        b"/api/../admin", b"/x/../api", b"//api", b"/api%2Fv2", b"/api%5Cv2", b"/%2e%2e/api",
        b"/./api", b"/api/%2e%2e/", b"/api/..", b"/api/..;/admin", b"/api/..;x=1/admin",
        b"/x%2F..%2Fapi", b"/api//v2", b"/x//../../api", b"/API/..%2fapi", b"/api/v2/..",
    ],
)  # fmt: skip
def test_a_path_that_can_be_read_in_two_ways_is_refused(prefixed: LiveTable, target: bytes):
    with pytest.raises(AmbiguousPath):
        prefixed.find("x.com", target)


def test_below_a_path_that_has_no_app_nobody_answers(prefixed: LiveTable):
    assert prefixed.find("y.com", b"/other") is None
    assert prefixed.find("y.com", b"/only/x").wire.app == "deep"


def test_a_path_goes_when_its_app_does(prefixed: LiveTable):
    prefixed.apply((1, 2), [], ["api"])
    assert prefixed.find("x.com", b"/api/x").wire.app == "root"
    prefixed.apply((1, 3), [], ["root", "deep"])
    assert prefixed.find("x.com", b"/") is None


def test_who_waits_looks_again_in_turn_when_a_place_is_free_or_the_route_changes():
    async def scene() -> None:
        live = make_live(make_route("i1", settings=RouteSettings(target_requests=1)))
        upstream = upstreams(live)[0]
        upstream.enter()
        order: list[str] = []

        class Waiter:
            def __init__(self, name: str) -> None:
                self.name = name

            def start(self) -> None:
                order.append(self.name)

        route = live.find(HOST, b"/")
        waiting = live.queue(route, lambda: Waiting(asyncio.get_running_loop()))
        names = [Waiter(name) for name in "abcd"]
        for waiter in names:
            waiting.add(waiter)
        upstream.leave()
        waiting.discard(names[1])
        await asyncio.sleep(0)
        assert order == ["a"]
        assert live.held() == 2
        live.apply((1, 2), [make_route("i1", "i2")])
        await asyncio.sleep(0)
        assert order == ["a", "c", "d"]
        assert [u.waiting for u in upstreams(live)] == [waiting, waiting]

    with ThreadPoolExecutor(1) as pool:  # a browser test may have left this thread a loop
        pool.submit(asyncio.run, scene()).result()
