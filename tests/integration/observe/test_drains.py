"""Drains of a real collector, to real servers."""

import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from builders import make_app
from receivers import HttpReceiver, SyslogServer
from unit.observe.collecting import Machine, eventually

from hythe.model import App, Database, Drain
from hythe.observe import collect, sending
from hythe.observe import drain as drain_module
from hythe.observe.drain import Progress
from hythe.observe.drains import load
from hythe.observe.line import LogLine
from hythe.observe.store import LogStore
from hythe.route import selfsigned
from hythe.settings import Settings

pytestmark = pytest.mark.one_database("it is about sockets")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain_module, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(drain_module, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(collect, "LOOK_SECONDS", 0.05)


@pytest.fixture
def machine(settings: Settings, database: Database, tmp_path: Path) -> Iterator[Machine]:
    folder = tmp_path / "containers"
    folder.mkdir()
    machine = Machine(settings, database, folder)
    yield machine
    for collector in machine.running:
        collector.stop()


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """Of a server named localhost, which this machine trusts."""
    path = tmp_path / "server.pem"
    path.write_bytes(selfsigned.make())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    sending.tls.cache_clear()
    yield context
    sending.tls.cache_clear()


def add(machine: Machine, url: str) -> int:
    with machine.database.write() as tx:
        drain = Drain(
            app_id=machine.app_id, shown="x", url=machine.vault.seal(url), created_by="test"
        )
        tx.add(drain)
        tx.flush()
    machine.directory.refresh()
    return drain.id


def say(machine: Machine, *texts: str) -> None:
    lines = [LogLine(1_700_000_000.25, text, "web", 1, "v3", 9, "stdout") for text in texts]
    LogStore(machine.settings).append(machine.app_id, lines)


def started(machine: Machine, number: int) -> None:
    """Wait until a drain stands at the end of the log."""
    eventually(lambda: number in load(machine.settings))


def progress(machine: Machine, number: int) -> Progress:
    return load(machine.settings).get(number, Progress("", None))


def test_lines_arrive_as_syslog_messages(machine: Machine) -> None:
    server = SyslogServer()
    say(machine, "of earlier")
    machine.start()
    started(machine, add(machine, f"syslog://127.0.0.1:{server.port}"))
    say(machine, "Grüße [ok]")
    request = LogLine(
        1_700_000_001.0, "at=info", "router", release="v3", source="router", request_id='a]"\\'
    )
    error = LogLine(1_700_000_002.0, "oh", "web", 2, "v3", 9, "stderr")
    LogStore(machine.settings).append(machine.app_id, [request, error])
    eventually(lambda: len(server.messages) == 3)
    host = socket.gethostname()
    assert server.messages == [
        f"<14>1 2023-11-14T22:13:20.250000Z {host} shop web.1 app"
        ' [hythe@32473 release="v3" stream="stdout" deployment="9"] Grüße [ok]',
        f"<14>1 2023-11-14T22:13:21.000000Z {host} shop router router"
        r' [hythe@32473 release="v3" request_id="a\]\"\\"] at=info',
        f"<11>1 2023-11-14T22:13:22.000000Z {host} shop web.2 app"
        ' [hythe@32473 release="v3" stream="stderr" deployment="9"] oh',
    ]
    assert server.broken == []
    server.stop()


def test_lines_arrive_over_tls_from_who_is_trusted(
    machine: Machine, certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = SyslogServer(tls=certificate)
    machine.start()
    trusted = add(machine, f"syslog+tls://localhost:{server.port}")
    started(machine, trusted)
    say(machine, "one")
    eventually(lambda: server.texts == ["one"])
    other = add(machine, f"syslog+tls://127.0.0.1:{server.port}")  # the certificate is not for it
    started(machine, other)
    say(machine, "two")
    eventually(lambda: server.texts == ["one", "two"])
    eventually(lambda: "certificate is not trusted" in progress(machine, other).error)
    assert progress(machine, trusted).error == ""
    server.stop()


def test_lines_arrive_as_json(machine: Machine) -> None:
    server = HttpReceiver()
    machine.start()
    url = f"http://me:p%40ss@127.0.0.1:{server.port}/in?key=secret"
    number = add(machine, url)
    started(machine, number)
    say(machine, "one", "two")
    eventually(lambda: server.texts == ["one", "two"])
    assert server.lines[0] == {
        "timestamp": "2023-11-14T22:13:20.250000+00:00",
        "message": "one",
        "app": "shop",
        "source": "app",
        "process": "web",
        "instance": "web.1",
        "release": "v3",
        "stream": "stdout",
        "request_id": "",
    }
    path, headers, _ = server.requests[0]
    assert path == "/in?key=secret"
    assert headers["Authorization"] == "Basic bWU6cEBzcw=="
    assert headers["Content-Type"] == "application/json"
    server.stop()
    for file in machine.settings.home.rglob("*"):
        if file.is_file() and file.name != "key":
            assert b"secret" not in file.read_bytes()
            assert b"p%40ss" not in file.read_bytes()


def test_lines_arrive_as_json_over_tls(machine: Machine, certificate: ssl.SSLContext) -> None:
    server = HttpReceiver(tls=certificate)
    machine.start()
    started(machine, add(machine, f"https://localhost:{server.port}/"))
    say(machine, "one")
    eventually(lambda: server.texts == ["one"])
    server.stop()


@pytest.mark.parametrize("kind", [SyslogServer, HttpReceiver])
def test_lines_wait_while_the_receiver_is_away(
    machine: Machine, kind: type[SyslogServer] | type[HttpReceiver]
) -> None:
    server = kind()
    scheme, path = ("syslog", "") if kind is SyslogServer else ("http", "/")
    machine.start()
    number = add(machine, f"{scheme}://127.0.0.1:{server.port}{path}")
    started(machine, number)
    say(machine, "one")
    eventually(lambda: server.texts == ["one"])
    server.stop()
    say(machine, *map(str, range(3000)))
    eventually(lambda: progress(machine, number).error == "connection refused")
    again = kind(server.port)
    eventually(lambda: len(again.texts) >= 3000)
    assert again.texts == [*map(str, range(3000))]
    eventually(lambda: progress(machine, number).sent == 3001)
    assert (progress(machine, number).error, progress(machine, number).dropped) == ("", 0)
    again.stop()


def test_a_receiver_that_hangs_up_gets_the_next_line_at_once(machine: Machine) -> None:
    server = SyslogServer()
    machine.start()
    started(machine, add(machine, f"syslog://127.0.0.1:{server.port}"))
    for number in range(5):
        say(machine, str(number))
        eventually(lambda last=number: server.texts == [*map(str, range(last + 1))])
        server.hang_up()
    assert server.connections == 5
    server.stop()


def test_a_drain_goes_on_where_it_was_when_the_collector_comes_back(machine: Machine) -> None:
    server = SyslogServer()
    running = machine.start()
    number = add(machine, f"syslog://127.0.0.1:{server.port}")
    started(machine, number)
    say(machine, "one")
    eventually(lambda: server.texts == ["one"])
    running.stop()
    say(machine, "two", "three")
    machine.start()
    eventually(lambda: len(server.texts) == 3)
    assert server.texts == ["one", "two", "three"]
    server.stop()


def test_what_the_log_dropped_before_it_was_sent_is_counted_and_said(machine: Machine) -> None:
    """The buffer is the log; both the app's log and the receiver are told of the loss."""
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    running = machine.start()
    number = add(machine, f"syslog://127.0.0.1:{port}")
    started(machine, number)
    say(machine, "first")
    eventually(lambda: progress(machine, number).error != "")
    running.stop()
    small = replace(machine.settings, log_bytes=1024 * 1024)
    lines = [LogLine(1.0, f"{line} " + "x" * 500, "web", 1) for line in range(5000)]
    LogStore(small).append(machine.app_id, lines)
    kept = len(machine.texts())
    server = SyslogServer(port)
    machine.start()
    eventually(lambda: progress(machine, number).sent >= kept)
    dropped = 5001 - kept
    assert progress(machine, number).dropped == dropped
    told = f"Error L12 (drain overflow): drain {number}: {dropped} lines lost"
    eventually(lambda: told in server.texts)
    assert told in machine.texts()
    server.stop()


def test_a_receiver_that_fails_is_asked_again(machine: Machine) -> None:
    server = HttpReceiver()
    statuses = iter([503, 429, 404, 302])
    server.status = lambda lines: next(statuses, 200)
    machine.start()
    number = add(machine, f"http://127.0.0.1:{server.port}/")
    started(machine, number)
    say(machine, "one", "two")
    eventually(lambda: server.texts == ["one", "two"])
    assert len(server.requests) == 5
    assert progress(machine, number).dropped == 0
    server.stop()


def test_a_line_that_is_refused_for_good_holds_up_no_other(machine: Machine) -> None:
    server = HttpReceiver()
    server.status = lambda lines: 400 if any(x["message"] == "bad" for x in lines) else 200
    machine.start()
    number = add(machine, f"http://127.0.0.1:{server.port}/")
    started(machine, number)
    say(machine, *map(str, range(10)), "bad", *map(str, range(10, 20)))
    told = f"Error L13 (drain refused): the receiver of drain {number} refused 1 line for good"
    eventually(lambda: told in server.texts)
    assert server.texts == [*map(str, range(20)), told]
    eventually(lambda: progress(machine, number).sent == 21)
    assert progress(machine, number).dropped == 1
    server.stop()


def test_a_receiver_that_takes_nothing_holds_up_nobody_else(machine: Machine) -> None:
    """It accepts connections, and never reads."""
    deaf = socket.create_server(("127.0.0.1", 0))
    good = SyslogServer()
    machine.start()
    stuck = add(machine, f"syslog://127.0.0.1:{deaf.getsockname()[1]}")
    well = add(machine, f"syslog://127.0.0.1:{good.port}")
    started(machine, stuck)
    started(machine, well)
    container = machine.container()
    lines = [f"{number} " + "x" * 1000 for number in range(8000)]  # more than sockets hold
    machine.print(container, *lines)
    eventually(lambda: len(good.messages) >= len(lines))
    assert good.texts == lines
    assert machine.texts() == lines
    deaf.close()
    good.stop()


def test_a_removed_drain_and_those_of_a_removed_app_send_no_more(machine: Machine) -> None:
    server = SyslogServer()
    machine.start()
    with machine.database.write() as tx:
        make_app(tx, "other")
    number = add(machine, f"syslog://127.0.0.1:{server.port}")
    started(machine, number)
    with machine.database.write() as tx:
        tx.delete(tx.get_one(Drain, number))
    machine.directory.refresh()
    eventually(lambda: number not in load(machine.settings))
    say(machine, "one")
    second = add(machine, f"syslog://127.0.0.1:{server.port}")
    assert second != number
    started(machine, second)
    with machine.database.write() as tx:
        tx.delete(tx.get_one(App, machine.app_id))
    machine.directory.refresh()
    eventually(lambda: second not in load(machine.settings))
    assert server.messages == []
    server.stop()


def test_progress_that_cannot_be_read_begins_at_the_end(machine: Machine) -> None:
    server = SyslogServer()
    running = machine.start()
    number = add(machine, f"syslog://127.0.0.1:{server.port}")
    started(machine, number)
    running.stop()
    say(machine, "one")
    path = machine.settings.log_dir / "drains.json"
    path.write_text(json.dumps({number: "?"}))
    machine.start()
    eventually(lambda: number in load(machine.settings))
    say(machine, "two")
    eventually(lambda: server.texts == ["two"])
    server.stop()
