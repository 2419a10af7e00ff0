"""Hundreds of clients that send or read as slowly as they can: others are served meanwhile."""

import shutil
import subprocess
import time

import pytest
from conftest import missing
from integration.route.rig import Wire, length_of, make_table, write_table

from hythe.route.options import Timeouts

KINDS = {
    "headers": ["-H", "-i", "1"],
    "body": ["-B", "-i", "1", "-s", "100000"],
    "read": ["-X", "-w", "10", "-y", "20", "-n", "1", "-z", "16"],
}
HOST = "127.0.0.1"  # what slowhttptest asks for


@pytest.mark.parametrize("kind", KINDS)
def test_slow_clients_do_not_keep_others_waiting(serve, start_router, tmp_path, kind):
    if shutil.which("slowhttptest") is None:
        missing("slowhttptest", "Debian's package of that name is not installed.")

    def handle(wire, head):
        wire.exactly(length_of(head))
        size = 2_000_000 if b"/large" in head else 2
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (size, b"x" * size))

    app = serve(handle)
    write_table(tmp_path / "table.json", make_table({"i1": app.port}, host=HOST))
    quick = Timeouts(request_head=2.0, body_idle=2.0, rolling=2.0, tick=0.1)
    router = start_router(table=tmp_path / "table.json", timeouts=quick)
    url = f"http://{HOST}:{router.port}/large"
    # 300 connections, 300 a second, for 4 s.
    attack = subprocess.Popen(
        ["slowhttptest", *KINDS[kind], "-c", "300", "-r", "300", "-l", "4", "-u", url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    served = 0
    while attack.poll() is None:
        wire = Wire.dial(router.port)
        wire.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
        assert wire.response()[2] == b"xx"
        wire.close()
        served += 1
        time.sleep(0.05)
    assert served > 2  # on a machine that is busy with other things, too
