"""Sockets that outlive the master, over the protocol of systemd: a real datagram socket."""

import base64
import os
import pickle
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from integration.route.rig import (
    HOST,
    RouterProcess,
    Wire,
    answering,
    make_options,
    make_table,
    write_table,
)

ASK = f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
AGAIN = """
import base64, os, pickle, sys
from hythe.route import master
given = [int(fd) for fd in sys.argv[2].split(",")]
for number, fd in enumerate(given):
    os.dup2(fd, 100 + number)  # out of the way of 3, 4, ...
os.closerange(3, 100)
for number in range(len(given)):
    os.dup2(100 + number, 3 + number)
    os.close(100 + number)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(given))}
os.environ["LISTEN_FDNAMES"] = sys.argv[3]
sys.exit(master.run(pickle.loads(base64.b64decode(sys.argv[1]))))
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd is to a service: it is notified, and keeps descriptors."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        yield manager


def told(manager: socket.socket) -> tuple[dict[str, str], list[int]]:
    data, fds, _, _ = socket.recv_fds(manager, 4096, 8)
    return dict(line.split("=", 1) for line in data.decode().splitlines()), fds


def again(options: object, fds: list[int], names: str, manager: socket.socket) -> RouterProcess:
    blob = base64.b64encode(pickle.dumps(options)).decode()
    command = [sys.executable, "-c", AGAIN, blob, ",".join(map(str, fds)), names]
    environment = {"NOTIFY_SOCKET": str(manager.getsockname())}
    return RouterProcess(options, command, environment, tuple(fds))  # type: ignore[arg-type]


def test_connections_wait_for_the_next_master_and_none_is_refused(
    serve, tmp_path: Path, manager: socket.socket
) -> None:
    app = serve(answering("hello"))
    write_table(tmp_path / "table.json", make_table({"i1": app.port}))
    options = make_options(tmp_path, table=tmp_path / "table.json", workers=2)
    first = RouterProcess(options, environment={"NOTIFY_SOCKET": str(manager.getsockname())})
    kept: dict[str, int] = {}
    while len(kept) < 2:
        state, fds = told(manager)
        assert state["FDSTORE"] == "1"
        kept[state["FDNAME"]] = fds[0]
    assert told(manager)[0] == {"READY": "1"}
    assert list(kept) == ["hythe-http-0", "hythe-http-1"]

    first.event("worker started", count=2)
    workers = first.workers()
    os.kill(first.process.pid, signal.SIGKILL)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    first.process.wait(10)
    waiting = [Wire.dial(first.port) for _ in range(20)]  # nobody accepts, and nobody refuses
    for wire in waiting:
        wire.send(ASK)

    options = replace(options, port=first.port)
    second = again(options, list(kept.values()), ":".join(kept), manager)
    try:
        assert second.port == first.port
        for wire in waiting:
            assert wire.response()[0] == 200
        assert told(manager)[0] == {"READY": "1"}  # what is kept is not given again
    finally:
        second.stop()
        for fd in kept.values():
            os.close(fd)


def test_kept_sockets_of_another_address_are_given_up(
    serve, tmp_path: Path, manager: socket.socket
) -> None:
    app = serve(answering("hello"))
    write_table(tmp_path / "table.json", make_table({"i1": app.port}))
    options = make_options(tmp_path, table=tmp_path / "table.json")
    with socket.create_server(("127.0.0.1", 0)) as other:
        router = again(options, [other.fileno()], "hythe-http-0", manager)
        try:
            assert router.port != other.getsockname()[1]
            assert told(manager)[0] == {"FDSTOREREMOVE": "1", "FDNAME": "hythe-http-0"}
            assert told(manager)[0]["FDSTORE"] == "1"
        finally:
            router.stop()


def test_fewer_workers_let_go_of_the_sockets_too_many(
    serve, tmp_path: Path, manager: socket.socket
) -> None:
    app = serve(answering("hello"))
    write_table(tmp_path / "table.json", make_table({"i1": app.port}))
    with socket.socket() as one, socket.socket() as two:
        for sock in (one, two):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(("127.0.0.1", one.getsockname()[1]))
            sock.listen(8)
        port = one.getsockname()[1]
        options = make_options(tmp_path, table=tmp_path / "table.json", port=port)
        fds = [one.fileno(), two.fileno()]
        router = again(options, fds, "hythe-http-0:hythe-http-1", manager)
        try:
            assert told(manager)[0] == {"FDSTOREREMOVE": "1", "FDNAME": "hythe-http-1"}
            two.close()
            wire = Wire.dial(port)
            wire.send(ASK)
            assert wire.response()[0] == 200
        finally:
            router.stop()
