"""The promise of the whole platform: instances are replaced without a failed request."""

import threading
import time
from pathlib import Path

import pytest
from integration.route.control_plane import ControlPlane
from integration.route.rig import HOST, RawServer, Wire, length_of, make_table

RATE = 250  # requests a second
SWAPS = 8


def app(name: str):
    def handle(wire, head):
        wire.exactly(length_of(head))
        time.sleep(0.005)
        wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(name)}\r\n\r\n{name}")

    return RawServer(handle)


class Load:
    """Asks at a steady rate: on kept connections, on fresh ones, and with bodies."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self.answers: list[tuple[int, bytes]] = []
        self.errors: list[str] = []
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(5)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        wire = Wire.dial(self._port)
        due = time.monotonic()
        count = 0
        while not self._stop.is_set():
            due += len(self._threads) / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            count += 1
            try:
                if number == 0 or count % 20 == 0:
                    wire.close()
                    wire = Wire.dial(self._port)
                if number == 1:
                    wire.send(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 3\r\n\r\nabc")
                else:
                    wire.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
                status, head, body = wire.response()
                self.answers.append((status, body))
                if status != 200:
                    self.errors.append(head.decode())
            except (OSError, AssertionError, EOFError) as error:
                self.errors.append(repr(error))
                wire = Wire.dial(self._port)
        wire.close()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("instances", [1, 3])
def test_no_request_fails_while_instances_are_replaced(start_router, tmp_path: Path, instances):
    """As run/ does it: publish, wait for the ack, wait until quiet, stop the old at once."""
    control = ControlPlane(tmp_path / "control.sock")
    router = start_router(control=control.path, workers=2)
    serving: dict[str, RawServer] = {}
    load = None
    for sequence in range(1, SWAPS + 2):
        fresh = {f"v{sequence}.{n}": app(f"v{sequence}") for n in range(instances)}
        table = make_table({name: server.port for name, server in fresh.items()}, sequence)
        control.publish(table)
        control.applied(table)
        old = set(serving)
        control.wait(lambda old=old: not old & set(control.last()["in_flight"]), "quiet")
        for server in serving.values():
            server.close()
        serving = fresh
        load = load or Load(router.port)
        before = len(load.answers)
        newest = f"v{sequence}".encode()
        deadline = time.monotonic() + 15
        while len(load.answers) < before + 60:
            assert time.monotonic() < deadline, load.errors
            time.sleep(0.01)
        assert {body for _, body in load.answers[before + 20 :]} == {newest}
    assert load is not None
    load.stop()
    assert load.errors == []
    assert {status for status, _ in load.answers} == {200}
    for server in serving.values():
        server.close()
    control.close()


def test_a_target_that_refuses_connections_costs_no_request_while_another_is_there(route_to):
    dying, living = app("dying"), app("living")
    router = route_to(dying, living, workers=2)
    load = Load(router.port)
    while len(load.answers) < 100:
        time.sleep(0.01)
    dying.refuse()
    while len(load.answers) < 300:
        time.sleep(0.01)
    load.stop()
    for server in (dying, living):
        server.close()
    assert [error for error in load.errors if "H21" in error] == []
