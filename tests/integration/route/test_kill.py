"""`kill -9` under load: no request is lost that may be tried again."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from integration.route.control_plane import ControlPlane
from integration.route.rig import HOST, Wire, make_table, until, write_table

from hythe.wire import Route, RouteTable, Target

_APP = """
import asyncio, sys, uvloop
ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"
class App(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data):
        asyncio.get_running_loop().call_later(0.003, self.transport.write, ANSWER)
async def main():
    server = await asyncio.get_running_loop().create_server(App, "127.0.0.1", int(sys.argv[1]))
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
uvloop.run(main())
"""


class AppProcess:
    """An app that can be killed."""

    def __init__(self, port: int = 0) -> None:
        command = [sys.executable, "-c", _APP, str(port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Getting:
    """GETs at a steady rate over four kept-alive connections. A connection that is cut is an error
    of that request, unless `may_be_cut`: then the request is asked again on a fresh one."""

    def __init__(self, port: int, *, may_be_cut: bool = False) -> None:
        self._port, self._may_be_cut = port, may_be_cut
        self._over = threading.Event()
        self.answered = 0
        self.cut = 0
        self.errors: list[str] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(4)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        wire = Wire.dial(self._port)
        while not self._over.is_set():
            try:
                wire.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
                status, head, _ = wire.response()
                self.answered += 1
                if status != 200:
                    self.errors.append(head.decode())
            except (OSError, AssertionError, EOFError) as error:
                self.cut += 1
                if not self._may_be_cut:
                    self.errors.append(repr(error))
                wire = Wire.dial(self._port)  # must never be refused
            time.sleep(0.01)
        wire.close()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def apps():
    started: list[AppProcess] = []

    def start(port: int = 0) -> AppProcess:
        started.append(AppProcess(port))
        return started[-1]

    yield start
    for app in started:
        app.kill()


def test_a_killed_backend_costs_no_request_that_may_be_repeated(apps, start_router, tmp_path):
    one, other = apps(), apps()
    write_table(tmp_path / "t", make_table({"i1": one.port, "i2": other.port}))
    router = start_router(table=tmp_path / "t", workers=2)
    load = Getting(router.port)
    for _ in range(3):
        until(lambda seen=load.answered: load.answered > seen + 60)
        one.kill()
        until(lambda seen=load.answered: load.answered > seen + 60)
        one = apps(one.port)
    load.stop()
    assert load.errors == []


def test_a_killed_worker_cuts_its_connections_and_refuses_none(apps, start_router, tmp_path):
    write_table(tmp_path / "t", make_table({"i1": apps().port}))
    router = start_router(table=tmp_path / "t", workers=2)
    load = Getting(router.port, may_be_cut=True)
    for round_ in range(3):
        until(lambda seen=load.answered: load.answered > seen + 60)
        os.kill(router.workers()[0], signal.SIGKILL)
        router.event("worker started", count=3 + round_)
    until(lambda seen=load.answered: load.answered > seen + 60)
    load.stop()
    assert load.errors == []  # every connection that was open is asked again, and answered
    assert load.cut <= 3 * 4


def test_churn_of_the_table_disturbs_no_request(apps, start_router, tmp_path):
    """Apps come, go and swap hosts and targets, 600 changes in a row, while another one serves."""
    control = ControlPlane(tmp_path / "control.sock")
    steady = Route("app", (HOST,), (Target("i1", "127.0.0.1", apps().port),))

    def table(number: int) -> RouteTable:
        others = tuple(
            Route(
                f"a{n}",
                (f"h{(n + number) % 40}.localhost",),
                (Target(f"t{number}-{n}", "127.0.0.1", 9),),
            )
            for n in range(40)
            if (n + number) % 3
        )
        return RouteTable(1, number, (*others, steady))

    control.publish(table(1))
    router = start_router(control=control.path, workers=2)
    control.applied(table(1))
    load = Getting(router.port)
    for number in range(2, 602):
        control.change(table(number - 1), table(number))
        time.sleep(0.003)
    control.applied(table(601))
    load.stop()
    assert load.errors == []
    assert len(control.hellos) == 1  # no change was missed
    control.close()


def test_a_change_that_was_missed_is_made_good_by_the_whole_table(apps, start_router, tmp_path):
    control = ControlPlane(tmp_path / "control.sock")
    control.publish(make_table())
    router = start_router(control=control.path)
    control.applied(make_table())
    two, three = make_table(sequence=2), make_table({"i1": apps().port}, sequence=3)
    control.document = three.to_json()
    control.change(two, three)
    control.applied(three)
    assert len(control.hellos) == 2
    bad = RouteTable(1, 4, (*three.routes, Route("thief", (HOST,))))
    control.change(three, bad)
    router.event("table refused, the old one stays")
    refused = control.wait(lambda: control.refusals, "refused")
    assert "routed to both app and thief" in refused[0]["reason"]
    control.close()
