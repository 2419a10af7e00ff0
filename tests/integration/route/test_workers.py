"""The process tree: crashes, signals, stopping."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from integration.route.rig import (
    HOST,
    RouterProcess,
    Wire,
    answering,
    get,
    make_options,
    make_table,
    until,
    write_table,
)

ASK = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n"


@pytest.fixture
def held_app(serve):
    """An app that answers only once it is released."""
    release = threading.Event()

    def handle(wire, head):
        release.wait(15)
        answering("late")(wire, head)

    app = serve(handle)
    app.release = release
    return app


def spread(router, count: int) -> list[Wire]:
    """Connections to all workers, each used once."""
    wires = [Wire.dial(router.port) for _ in range(count)]
    for wire in wires:
        wire.send(ASK)
        assert wire.response()[0] == 200
    return wires


def test_a_killed_worker_takes_only_its_own_connections_along(serve, route_to):
    router = route_to(serve(answering()), workers=2)
    router.event("worker started", count=2)
    wires = spread(router, 40)
    victim = router.workers()[0]
    os.kill(victim, signal.SIGKILL)
    router.event("worker started", count=3)
    survivors = 0
    for wire in wires:
        wire.send(ASK)
        survivors += wire.head() != b"" if _open(wire) else 0
    assert 0 < survivors < 40
    assert [get(router.port)[0] for _ in range(50)] == [200] * 50
    assert victim not in router.workers()


def _open(wire: Wire) -> bool:
    try:
        return wire.sock.recv(1, socket.MSG_PEEK) != b""
    except ConnectionResetError:
        return False


def test_a_worker_that_is_told_to_end_finishes_and_is_replaced(held_app, route_to):
    router = route_to(held_app, workers=1)
    wire = Wire.dial(router.port)
    wire.send(ASK)
    until(lambda: held_app.requests)
    os.kill(router.workers()[0], signal.SIGTERM)
    held_app.release.set()
    assert wire.response()[2] == b"late"
    router.event("worker ended", code=0)
    assert get(router.port)[0] == 200


def test_connections_to_a_dead_worker_wait_for_the_next(serve, route_to):
    """The listening socket outlives its process, so nobody is refused in between."""
    router = route_to(serve(answering()), workers=1)
    for round_ in range(3):
        os.kill(router.event("worker started", count=round_ + 1)["worker"], signal.SIGKILL)
        assert get(router.port)[0] == 200


def test_sigterm_lets_requests_finish_and_refuses_new_ones(held_app, route_to):
    router = route_to(held_app, workers=2)
    wire = Wire.dial(router.port)
    wire.send(ASK)
    idle = Wire.dial(router.port)
    until(lambda: held_app.requests)
    router.signal(signal.SIGTERM)
    router.event("stopping")
    assert idle.rest() == b""
    with pytest.raises(ConnectionRefusedError):
        until(lambda: Wire.dial(router.port).close(), "refused")
    held_app.release.set()
    status, head, body = wire.response()
    assert (status, body) == (200, b"late")
    assert b"Connection: close" in head
    assert router.process.wait(10) == 0


def test_a_drain_has_an_end(held_app, route_to):
    from hythe.route.options import Timeouts

    router = route_to(held_app, timeouts=Timeouts(drain=0.3, tick=0.05))
    wire = Wire.dial(router.port)
    wire.send(ASK)
    until(lambda: held_app.requests)
    router.signal(signal.SIGTERM)
    assert router.process.wait(10) == 0


def test_workers_go_when_their_master_is_killed(serve, route_to):
    router = route_to(serve(answering()), workers=2)
    router.event("worker started", count=2)
    pids = router.workers()
    router.process.kill()
    router.process.wait(10)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "workers gone")


def test_sighup_and_the_clock_reload_the_table_file(serve, route_to, tmp_path):
    router = route_to(serve(answering("one")))
    assert get(router.port)[2] == b"one"
    two = serve(answering("two"))
    write_table(tmp_path / "table.json", make_table({"i2": two.port}))  # the version is the same
    router.signal(signal.SIGHUP)
    until(lambda: get(router.port)[2] == b"two")
    three = serve(answering("three"))
    write_table(tmp_path / "table.json", make_table({"i3": three.port}))
    until(lambda: get(router.port)[2] == b"three")
    (tmp_path / "table.json").write_text("{broken")
    router.event("table refused, the old one stays")
    assert get(router.port)[2] == b"three"


def test_sigusr1_goes_on_in_a_new_log_file(serve, route_to, tmp_path):
    router = route_to(serve(answering()), workers=2)
    get(router.port, "/before")
    until(lambda: "/before" in router.log())
    (tmp_path / "access.log").rename(tmp_path / "moved.log")
    router.signal(signal.SIGUSR1)
    until(lambda: (tmp_path / "access.log").exists())
    until(lambda: get(router.port, "/after") and "/after" in router.log())
    assert "/before" not in router.log()


def test_a_full_log_moves_aside(serve, route_to, tmp_path):
    router = route_to(serve(answering()), workers=2, log_size=2000)
    for _ in range(20):
        get(router.port)
    until(lambda: (tmp_path / "access.log.1").exists())
    until(lambda: get(router.port, "/new") and "/new" in router.log())


def test_a_port_in_use_is_refused_with_a_reason(serve, route_to, tmp_path):
    router = route_to(serve(answering()))
    command = [sys.executable, "-m", "hythe.route", "--listen", f"127.0.0.1:{router.port}"]
    command += ["--table", str(tmp_path / "table.json"), "--log", str(tmp_path / "second.log")]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert second.returncode == 1
    assert "Address already in use" in second.stderr


def test_the_command_line_runs_it_alone_on_a_table_file(serve, tmp_path):
    app = serve(answering("alone"))
    write_table(tmp_path / "t.json", make_table({"i1": app.port}))
    command = [sys.executable, "-m", "hythe.route", "--listen", "127.0.0.1:0", "--workers", "2"]
    command += ["--table", str(tmp_path / "t.json"), "--log", str(tmp_path / "access.log")]
    router = RouterProcess(make_options(tmp_path), command)
    assert get(router.port)[2] == b"alone"
    until(lambda: "status=200" in router.log())
    assert router.stop() == 0


def test_an_idle_router_stays_small(serve, route_to):
    router = route_to(serve(answering()), workers=2)
    spread(router, 20)
    total = 0
    for pid in [router.process.pid, *router.workers()]:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line[:4] == "Pss:")
    assert total < 50 * 1024  # KiB, master and two workers together
