"""The nursery, in a process of its own as it is in the control plane."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PLATFORM = Path(__file__).parents[3] / "platform"

PROGRAM = """
import json, os, sys, time
from hythe.build.nursery import Nursery

def work(request):
    if request["do"] == "sleep":
        print("pid", os.getpid(), flush=True)
        time.sleep(60)
    if request["do"] == "fail":
        raise RuntimeError("broken")

nursery = Nursery.start(work)
"""


def run(rest: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM + rest],
        env={"PYTHONPATH": str(PLATFORM)}, capture_output=True, text=True, timeout=30,
    )  # fmt: skip


def test_children_report_how_they_ended() -> None:
    done = run("""
children = [nursery.spawn({"do": do}) for do in ("nothing", "fail", "sleep")]
children[2].kill()
for child in children:
    assert child.wait(20)
print(json.dumps([child.status for child in children]))
nursery.stop()
""")
    assert json.loads(done.stdout.splitlines()[-1]) == [0, 1, -signal.SIGKILL], done.stderr


def test_stopping_the_nursery_ends_its_children() -> None:
    done = run("""
child = nursery.spawn({"do": "sleep"})
time.sleep(0.5)
nursery.stop()
assert child.wait(20) and child.status == -9
""")
    assert done.returncode == 0, done.stderr
    assert gone(int(done.stdout.split()[1]))


def test_nobody_outlives_the_control_plane() -> None:
    done = run("""
child = nursery.spawn({"do": "sleep"})
time.sleep(0.5)
os.kill(os.getpid(), 9)
""")
    assert done.returncode == -signal.SIGKILL
    assert gone(int(done.stdout.split()[1]))


def test_it_refuses_to_start_beside_threads() -> None:
    done = run("""
import threading
threading.Thread(target=time.sleep, args=(1,)).start()
try:
    Nursery.start(work)
except Exception as error:
    print(error.cause)
nursery.stop()
""")
    assert "before any thread" in done.stdout


def gone(pid: int) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return True  # nobody reaps it here, but it runs no more
        time.sleep(0.02)
    return False
