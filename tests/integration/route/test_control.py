"""The link to the control plane: tables in, acks and counts out."""

import itertools
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from integration.route.control_plane import ControlPlane
from integration.route.rig import HOST, Wire, answering, get, make_table, sending, until


@pytest.fixture
def control(tmp_path: Path):
    plane = ControlPlane(tmp_path / "control.sock")
    yield plane
    plane.close()


@pytest.fixture
def linked(control, start_router, tmp_path):
    """A router on the control link, with a first table already applied."""

    def start(table, **given):
        control.publish(table)
        given = {"snapshot": tmp_path / "snapshot.json", **given}
        router = start_router(control=control.path, **given)
        control.applied(table)
        return router

    return start


def holding(serve):
    """An app that answers when it is told to."""
    held = []

    def handle(wire, head):
        held.append(wire)
        wire.head()

    return serve(handle), held


def test_a_router_says_hello_and_reports_what_all_its_workers_applied(control, linked):
    linked(make_table(), workers=2)
    hello = control.hellos[0]
    assert hello["workers"] == 2
    assert hello["version"] is None
    assert hello["router"]
    table = make_table(sequence=2)
    control.publish(table)
    assert control.applied(table)["in_flight"] == {}


def test_reports_come_at_least_every_second(control, linked):
    linked(make_table())
    start = len(control.reports)
    control.wait(lambda: len(control.reports) >= start + 4, "reported four times")
    times = [at for at, _ in control.reports[start:]]
    assert max(b - a for a, b in itertools.pairwise(times)) < 4  # the lease is 5 s


def test_older_tables_and_broken_tables_change_nothing(serve, control, linked):
    app = serve(answering())
    router = linked(make_table({"i1": app.port}, 5, epoch=3))
    control.publish(make_table(sequence=4, epoch=3))
    control.publish(make_table(sequence=900, epoch=2))
    router.event("older table refused", count=2)
    control.publish({"epoch": 9, "sequence": 1, "routes": [{"app": "a", "hosts": ["UPPER"]}]})
    control.publish("nonsense")
    router.event("table refused, the old one stays", count=2)
    assert get(router.port)[0] == 200
    control.publish(make_table(sequence=1, epoch=4))
    control.applied(make_table(sequence=1, epoch=4))
    assert get(router.port)[0] == 503


def test_requests_in_flight_of_a_retired_target_are_reported_until_they_end(serve, control, linked):
    app, held = holding(serve)
    router = linked(make_table({"i1": app.port}), workers=2)
    wire = Wire.dial(router.port)
    wire.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
    until(lambda: held)
    table = make_table(sequence=2)
    control.publish(table)
    assert control.applied(table)["in_flight"] == {"i1": 1}
    assert get(router.port)[0] == 503  # nothing new
    ended = time.monotonic()
    held[0].send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert wire.response()[2] == b"ok"
    control.wait(lambda: control.last()["in_flight"] == {}, "reported quiet")
    quiet = next(at for at, report in control.reports if at > ended and not report["in_flight"])
    assert quiet - ended < 0.5  # out of turn, not at the next second


def test_idle_connections_to_a_retired_target_are_closed(serve, control, linked):
    closed = []

    def handle(wire, head):
        answering()(wire, head)
        closed.append(wire.sock.recv(1))
        raise EOFError

    app = serve(handle)
    router = linked(make_table({"i1": app.port}))
    get(router.port)
    control.publish(make_table(sequence=2))
    until(lambda: closed == [b""])


def test_traffic_goes_on_while_the_control_plane_is_dead_and_the_link_comes_back(
    serve, control, linked
):
    app = serve(answering())
    router = linked(make_table({"i1": app.port}))
    control.close()
    router.event("control plane is away")
    assert get(router.port)[0] == 200
    again = ControlPlane(control.path)
    again.wait(lambda: again.hellos, "said hello again")
    assert again.hellos[0]["version"] == [1, 1]
    again.wait(lambda: again.reports, "reported before any table came")
    assert again.last()["version"] == [1, 1]
    table = make_table(sequence=2)
    again.publish(table)
    again.applied(table)
    again.close()


def test_a_router_starts_from_its_snapshot_while_the_control_plane_is_down(
    serve, control, linked, start_router, tmp_path
):
    app = serve(answering())
    router = linked(make_table({"i1": app.port}, sequence=7))
    control.close()
    assert router.stop() == 0
    saved = json.loads((tmp_path / "snapshot.json").read_text())
    assert (saved["epoch"], saved["sequence"]) == (1, 7)
    again = start_router(control=control.path, snapshot=tmp_path / "snapshot.json")
    assert get(again.port)[0] == 200


def test_a_snapshot_is_there_soon_after_the_table(control, linked, tmp_path):
    linked(make_table(sequence=3))
    path = tmp_path / "snapshot.json"
    until(lambda: path.exists() and json.loads(path.read_text())["sequence"] == 3)


def test_without_any_table_requests_wait_for_the_first(serve, start_router, tmp_path):
    app = serve(answering())
    path = tmp_path / "late.sock"
    router = start_router(control=path)
    wire = Wire.dial(router.port)
    wire.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
    plane = ControlPlane(path)
    plane.publish(make_table({"i1": app.port}))
    assert wire.response()[0] == 200
    plane.close()


def test_a_held_app_is_reported_at_once_and_served_apps_with_the_next_report(
    serve, control, linked
):
    app = serve(answering())
    held = make_table()
    held = replace(held, routes=(replace(held.routes[0], mode="hold"),))
    router = linked(held, workers=2)
    assert control.hellos[0]["activity"]
    assert control.last()["waiting"] == []
    wire = Wire.dial(router.port)
    began = time.monotonic()
    wire.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
    control.wait(lambda: control.last()["waiting"] == ["app"], "reported that one waits")
    told = next(at for at, report in control.reports if report["waiting"])
    assert told - began < 0.5  # out of turn, not at the next second
    control.publish(make_table({"i1": app.port}, sequence=2))
    assert wire.response()[0] == 200
    control.wait(lambda: "app" in control.last()["served"], "reported that one was served")
    control.wait(lambda: control.last()["waiting"] == control.last()["served"] == [], "fell quiet")


def test_a_watched_route_is_counted_by_release_and_what_failed(serve, control, linked):
    good, bad = serve(answering()), serve(sending("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"))
    plain = make_table({"i1": good.port}, 1)
    router = linked(plain, workers=2)
    assert get(router.port)[0] == 200  # nobody watches yet
    route = replace(plain.routes[0], watch="d7")
    first = replace(plain, sequence=2, routes=(route,))
    control.publish(first)
    control.applied(first)
    for _ in range(5):
        assert get(router.port)[0] == 200
    target = replace(route.targets[0], id="i2", port=bad.port, release="v2")
    second = replace(first, sequence=3, routes=(replace(route, targets=(target,)),))
    control.publish(second)
    # What the first table's targets answered is known as soon as the second is in use.
    assert control.applied(second)["watched"]["d7"]["v1"]["requests"] == 5
    assert get(router.port)[0] == 500

    def counted():
        watched = control.last().get("watched", {}).get("d7", {})
        return watched if "v2" in watched else None

    watched = control.wait(counted, "counted the second release")
    assert (watched["v1"]["requests"], watched["v1"]["failed"]) == (5, 0)
    assert (watched["v2"]["requests"], watched["v2"]["failed"]) == (1, 1)
    assert sum(watched["v1"]["times"].values()) == 5
    control.publish(replace(plain, sequence=4))
    control.wait(lambda: not control.last().get("watched"), "stopped watching")
