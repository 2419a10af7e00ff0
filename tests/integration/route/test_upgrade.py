"""New code under the same sockets, and workers that are not root."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from integration.route.control_plane import ControlPlane
from integration.route.pki import certificate_of, dial_tls, make_certificate
from integration.route.rig import (
    HOST,
    PLATFORM,
    RouterProcess,
    Wire,
    answering,
    get,
    make_options,
    make_table,
    until,
    write_table,
)

from hythe.wire import RouteTable


class Asking:
    """Opens a connection for every request, without a pause, until it is told to stop."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self.answers = 0
        self.errors: list[str] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                assert get(self._port)[0] == 200
                self.answers += 1
            except (OSError, AssertionError) as error:
                self.errors.append(repr(error))
            time.sleep(0.002)

    def stop(self) -> None:
        self._over.set()
        self._thread.join(20)


def test_an_upgrade_refuses_no_connection_and_cuts_no_request(serve, start_router, tmp_path):
    release = threading.Event()

    def handle(wire, head):
        if b"/slow" in head:
            release.wait(15)
        answering()(wire, head)

    app = serve(handle)
    control = ControlPlane(tmp_path / "control.sock")
    table = make_table({"i1": app.port})
    control.publish(table)
    router = start_router(control=control.path, workers=2)
    control.applied(table)
    slow = Wire.dial(router.port)
    slow.send(f"GET /slow HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
    until(lambda: any(b"/slow" in head for head in app.requests))
    old = set(router.workers())
    asking = Asking(router.port)
    router.signal(signal.SIGUSR2)
    router.event("upgrading")
    router.event("listening", count=2)
    router.event("old worker ended")
    assert len(router.workers()) == 3  # one of the old still has the slow request
    again = make_table({"i1": app.port}, sequence=2)
    control.publish(again)
    assert control.applied(again)["in_flight"].get("i1", 0) >= 1  # the old worker's too
    release.set()
    assert slow.response()[0] == 200
    router.event("old worker ended", count=2)
    count = asking.answers
    until(lambda: asking.answers > count + 20)
    asking.stop()
    assert asking.errors == []
    assert not old & set(router.workers())
    assert len(control.hellos) == 2
    assert control.hellos[1]["version"] == [1, 1]  # it knew its table
    control.close()


def test_code_that_cannot_start_changes_nothing_and_mended_code_does(serve, tmp_path):
    code = tmp_path / "platform"
    shutil.copytree(PLATFORM, code, ignore=shutil.ignore_patterns("__pycache__"))
    write_table(tmp_path / "t", make_table({"i1": serve(answering()).port}))
    launch = (
        "import os, sys; place = sys.argv.pop(1); os.environ['PYTHONPATH'] = place\n"
        "sys.path[:] = [p for p in sys.path if p != os.environ['OLD']]; sys.path.insert(0, place)\n"
        "from hythe.route.main import main; sys.exit(main())\n"
    ).replace("os.environ['OLD']", repr(str(PLATFORM)))
    command = [sys.executable, "-c", launch, str(code), "--listen", "127.0.0.1:0"]
    command += ["--table", str(tmp_path / "t"), "--log", str(tmp_path / "access.log")]
    router = RouterProcess(make_options(tmp_path), [*command, "--workers", "1"])
    worker = code / "hythe" / "route" / "worker.py"
    whole = worker.read_text()
    router.event("worker started")
    workers = router.workers()
    worker.write_text("this is no Python")
    router.signal(signal.SIGUSR2)
    router.event("upgrade refused, the old program stays")
    assert router.workers() == workers
    assert get(router.port)[0] == 200
    (tmp_path / "t").write_text("{this is no table")  # does not matter: it has one
    worker.write_text(whole + "\nlog.info('the new code')\n")
    router.signal(signal.SIGUSR2)
    router.event("the new code")
    router.event("old worker ended")
    assert get(router.port)[0] == 200
    assert router.stop() == 0


def ids_of(pid: int) -> dict[str, str]:
    status = Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_workers_give_up_root_and_still_log_into_a_folder_of_roots(serve, route_to, tmp_path):
    tmp_path.chmod(stat.S_IRWXU)
    router = route_to(serve(answering()), user="nobody", workers=2, log_size=2000)
    nobody = pwd.getpwnam("nobody")
    for pid in router.workers():
        until(lambda pid=pid: ids_of(pid)["Uid"].split()[0] != "0")  # it has just been forked
        ids = ids_of(pid)
        assert set(ids["Uid"].split()) == {str(nobody.pw_uid)}
        assert set(ids["Gid"].split()) == {str(nobody.pw_gid)}
        assert not ids["Groups"].split()
        assert int(ids["CapEff"], 16) == 0
    for _ in range(20):
        assert get(router.port)[0] == 200
    until(lambda: (tmp_path / "access.log.1").exists())
    until(lambda: get(router.port, "/new") and "/new" in router.log())
    os.kill(router.workers()[0], signal.SIGKILL)
    router.event("worker started", count=3)
    assert get(router.port)[0] == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_worker_without_root_takes_new_certificates(serve, start_router, tmp_path):
    def table(sequence: int):
        (route,) = make_table({"i1": app.port}).routes
        own = make_certificate(HOST, serial=sequence)
        return RouteTable(1, sequence, (replace(route, certificates=(own,)),))

    app = serve(answering())
    write_table(tmp_path / "t", table(1))
    router = start_router(table=tmp_path / "t", tls_port=0, user="nobody")
    port = router.event("listening")["tls"]
    for sequence in (1, 2):
        write_table(tmp_path / "t", table(sequence))
        until(lambda n=sequence: certificate_of(dial_tls(port, HOST)).serial_number == n)


def test_an_unknown_user_is_refused(tmp_path):
    command = [sys.executable, "-m", "hythe.route", "--table", str(tmp_path / "t")]
    done = subprocess.run(
        [*command, "--listen", "127.0.0.1:0", "--user", "nobody-at-all"],
        env={**os.environ, "PYTHONPATH": str(PLATFORM)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert "no such user" in done.stderr
