"""The routers' link over a real unix socket."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hythe.run import routers as routers_module
from hythe.run.routers import NEVER, Routers
from hythe.wire import Route, RouteTable, TableChange, Version

SECONDS = 10


class Dialler:
    """A router's end of the link."""

    def __init__(self, path: Path, name: str = "r1", **given: Any) -> None:
        self._name = name
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(SECONDS)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("r")
        self.hello(**given)

    def hello(self, **given: Any) -> None:
        hello = {"type": "hello", "router": self._name, "workers": 2, "version": None}
        self.say(hello | given)

    def say(self, message: dict[str, Any]) -> None:
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def report(self, version: tuple[int, int], **in_flight: int) -> None:
        self.say({"type": "report", "version": version, "in_flight": in_flight})

    def table(self) -> RouteTable:
        return RouteTable.from_json(self.hear()["table"])

    def hear(self) -> Any:
        return json.loads(self._lines.readline())

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


class Told:
    """Counts what the routers' side tells of."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._news = 0

    def __call__(self) -> None:
        with self._condition:
            self._news += 1
            self._condition.notify_all()

    def wait(self, news: int) -> None:
        with self._condition:
            assert self._condition.wait_for(lambda: self._news >= news, SECONDS)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def ahead() -> list[Version]:
    return []


@pytest.fixture
def routers(path: Path, told: Told, ahead: list[Version]) -> Iterator[Routers]:
    routers = Routers(path, told, ahead.append)
    routers.start()
    yield routers
    routers.stop()


def test_a_router_gets_the_table_when_it_dials_in_and_when_it_changes(
    routers: Routers, path: Path
) -> None:
    routers.send(RouteTable(1, 1))
    router = Dialler(path)
    assert router.table().version == (1, 1)
    routers.send(RouteTable(1, 2))
    assert router.table().version == (1, 2)
    router.close()


def test_a_version_is_reached_when_the_slowest_router_has_it(
    routers: Routers, path: Path, told: Told
) -> None:
    routers.send(RouteTable(1, 2))
    fast, slow = Dialler(path, "fast"), Dialler(path, "slow")
    fast.report((1, 2))
    slow.report((1, 1))
    told.wait(2)
    assert routers.acked() == (1, 1)
    slow.report((1, 2), i7=3)
    told.wait(3)
    assert routers.acked() == (1, 2)
    assert routers.in_flight() == {"i7": 3}
    fast.close()
    slow.close()


def test_right_after_the_start_nothing_counts_as_reached(routers: Routers) -> None:
    assert routers.acked() == NEVER


def test_when_the_lease_is_over_nobody_is_waited_for(
    routers: Routers, path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    routers.send(RouteTable(1, 1))
    router = Dialler(path)
    router.report((1, 1))
    told.wait(1)
    router.close()
    assert routers.acked() == (1, 1)
    monkeypatch.setattr(routers_module, "LEASE_SECONDS", 0.0)
    assert routers.acked() is None


def test_a_table_above_ours_is_told_and_not_taken_for_an_ack(
    routers: Routers, path: Path, told: Told, ahead: list[Version]
) -> None:
    routers.send(RouteTable(1, 5))
    router = Dialler(path)
    router.report((1, 9))
    told.wait(1)
    assert routers.acked() == NEVER
    deadline = time.monotonic() + SECONDS
    while not ahead:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert ahead == [(1, 9)]
    router.close()


def test_nonsense_ends_the_connection_and_no_other(
    routers: Routers, path: Path, told: Told
) -> None:
    good = Dialler(path, "good")
    bad = Dialler(path, "bad")
    bad._socket.sendall(b"not json\n")
    assert bad._lines.readline() == ""
    good.report((1, 5))
    told.wait(1)
    routers.send(RouteTable(1, 6))
    assert good.table().version == (1, 6)
    good.close()
    bad.close()


def test_the_socket_is_private(routers: Routers, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_router_that_takes_changes_is_sent_what_changed(routers: Routers, path: Path) -> None:
    one, two = Route("one", ("one.localhost",)), Route("two", ("two.localhost",))
    routers.send(RouteTable(1, 1, (one,)))
    router = Dialler(path, changes=True)
    assert router.table().routes == (one,)
    routers.send(RouteTable(1, 2, (one, two)))
    assert TableChange.from_json(router.hear()) == TableChange((1, 1), (1, 2), (two,))
    routers.send(RouteTable(1, 3, (two,)))
    assert TableChange.from_json(router.hear()) == TableChange((1, 2), (1, 3), (), ("one",))
    router.say({"type": "refused", "version": [1, 2], "reason": "a test"})
    router.hello(changes=True)  # it missed something
    assert router.table().version == (1, 3)
    router.close()


def test_what_routers_counted_is_added_up_by_release(
    routers: Routers, path: Path, told: Told
) -> None:
    routers.send(RouteTable(1, 1))
    counts = {"requests": 3, "failed": 1, "errors": {"H13": 1}, "times": {"512": 3}}
    one, two = Dialler(path, "one"), Dialler(path, "two")
    for router in (one, two):
        router.say({
            "type": "report", "version": [1, 1], "in_flight": {}, "watched": {"d7": {"v2": counts}},
        })  # fmt: skip
    told.wait(2)
    traffic = routers.watched("d7")["v2"]
    assert (traffic.requests, traffic.failed, traffic.errors) == (6, 2, {"H13": 2})
    assert traffic.quantile(0.95) == 512e-6
    assert routers.watched("d8") == {}
    one.close()
    two.close()
