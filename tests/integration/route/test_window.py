"""What can be seen of a running router: /metrics, /stats, and the kinds of log line."""

import json
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from integration.route.rig import Wire, answering, get, make_table, sending, until, write_table

from hythe.route.census import Total
from hythe.route.tally import BUCKETS, Tally, bucket_of, upper_bound
from hythe.wire import RouteTable


@pytest.fixture
def metrics_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def look(sock: socket.socket, path: str) -> tuple[int, str]:
    wire = Wire(sock)
    wire.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
    status, _, body = wire.response()
    return status, body.decode()


def dial(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(path))
    return sock


def test_requests_are_counted_by_app_over_all_workers(serve, start_router, tmp_path, metrics_port):
    good, bad = serve(answering("hello")), serve(sending("nonsense\r\n\r\n"))
    file, stats = tmp_path / "table.json", tmp_path / "run" / "router.sock"
    good_route = make_table({"i1": good.port}).routes[0]
    bad_route = make_table({"i2": bad.port}, host="bad.localhost").routes[0]
    table = replace(make_table(), routes=(good_route, replace(bad_route, app='b"d')))
    write_table(file, table)
    router = start_router(table=file, workers=2, metrics_port=metrics_port, stats=stats)
    for _ in range(20):
        assert get(router.port)[0] == 200
    assert get(router.port, host="bad.localhost")[0] == 502
    assert get(router.port, host="nobody.localhost")[0] == 404

    def seen():
        status, text = look(dial(stats), "/stats")
        assert status == 200
        apps = json.loads(text)["apps"]
        return apps if sum(app["requests"] for app in apps.values()) == 22 else None

    apps = until(seen)
    assert apps["app"]["statuses"] == {"2xx": 20}
    assert apps["app"]["bytes_out"] == 100
    assert 1 <= apps["app"]["connects"] <= 4
    assert 0 < apps["app"]["p50"] <= apps["app"]["p95"] <= apps["app"]["p99"] < 5
    assert apps['b"d']["errors"] == {"H17": 1}
    assert apps[""]["errors"] == {"unknown-host": 1}
    status, text = look(socket.create_connection(("127.0.0.1", metrics_port)), "/metrics")
    assert status == 200
    lines = text.splitlines()
    assert 'hythe_router_requests_total{app="app",class="2xx"} 20' in lines
    assert 'hythe_router_errors_total{app="b\\"d",code="H17"} 1' in lines
    assert 'hythe_router_service_seconds_count{app="app"} 20' in lines
    assert "hythe_router_workers 2" in lines
    assert look(dial(stats), "/other")[0] == 404
    assert stats.stat().st_mode & 0o777 == 0o600


def test_what_a_killed_worker_counted_stays_and_a_destroyed_app_goes(serve, route_to, tmp_path):
    stats = tmp_path / "router.sock"
    router = route_to(serve(answering()), stats=stats)
    get(router.port)

    def requests():
        return json.loads(look(dial(stats), "/stats")[1])["apps"].get("app", {}).get("requests")

    until(lambda: requests() == 1)
    os.kill(router.workers()[0], signal.SIGKILL)
    get(router.port)
    until(lambda: requests() == 2)
    write_table(tmp_path / "table.json", RouteTable(1, 9))
    until(lambda: requests() is None)


def test_the_log_can_be_json_and_a_sample(serve, route_to):
    app = serve(answering())
    router = route_to(app, log_json=True, log_sample=5)
    for n in range(20):
        get(router.port, f"/{n}?a=%22'")
    get(router.port, host="nobody.localhost")
    lines = until(lambda: len(x := router.log().splitlines()) == 5 and x)
    entries = [json.loads(line) for line in lines]
    assert [entry["at"] for entry in entries] == ["info"] * 4 + ["error"]
    assert entries[0] | {"request_id": "", "connect": 0, "service": 0} == {
        "at": "info", "method": "GET", "path": "/4?a=%22'", "host": "app.localhost",
        "request_id": "", "fwd": "127.0.0.1", "instance": "web.1", "release": "v1", "connect": 0,
        "service": 0, "status": 200, "bytes": 2, "protocol": "http",
    }  # fmt: skip
    assert entries[4]["code"] == "unknown-host"


def test_a_quantile_is_never_below_the_truth_and_at_most_a_quarter_above():
    tally, total = Tally(), Total()
    times = [37 * n * n + 300 for n in range(1, 1000)]
    for time in times:
        tally.served(200, time, 0, 0)
    total.add(json.loads(json.dumps(tally.take())))
    assert tally.touched is False
    for quantile in (0.5, 0.95, 0.99):
        truth = sorted(times)[int(quantile * len(times)) - 1] / 1e6
        assert truth <= total.seconds(quantile) <= truth * 1.27
    assert total.below(1 << 20) == sum(time < 1 << 20 for time in times)


def test_buckets_are_in_order_and_meet():
    assert bucket_of(10**12) == BUCKETS - 1
    for bucket in range(BUCKETS - 1):
        assert bucket_of(upper_bound(bucket) - 1) == bucket
        assert bucket_of(upper_bound(bucket)) == bucket + 1
