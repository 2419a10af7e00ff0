"""The nursery, in a process of its own as it is in the control plane."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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

BEFORE
nursery = Nursery.start(work)
"""


def run(rest: str, before: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("BEFORE", before) + rest],
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


@pytest.mark.parametrize("call", ["fork", "pidfd_open"])
def test_a_child_that_cannot_be_started_has_ended_and_harms_no_other(call: str) -> None:
    """The machine is out of processes, memory or files for a moment."""
    done = run(
        """
first = nursery.spawn({"do": "sleep"})
time.sleep(0.3)
second, third = nursery.spawn({"do": "sleep"}), nursery.spawn({"do": "nothing"})
assert second.wait(20) and third.wait(20)
alive = not first.wait(0.1)
print(json.dumps([alive, second.status, third.status]))
nursery.stop()
""",
        before=f"""
plane, calls, real = os.getpid(), [], os.{call}
def failing(*arguments):
    if os.getpid() != plane:
        calls.append(1)
        if len(calls) == 2:
            raise BlockingIOError(11, "Resource temporarily unavailable")
    return real(*arguments)
os.{call} = failing
""",
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [True, -signal.SIGKILL, 0], done.stderr
    assert "build process not started" in done.stderr


def test_a_nursery_that_dies_is_told_of() -> None:
    done = run("""
nursery.watch(lambda: (print("died", flush=True), nursery.stop(), os._exit(7)))
os.kill(nursery._pid, 9)
time.sleep(20)
""")
    assert (done.returncode, done.stdout.strip()) == (7, "died"), done.stderr


def test_stopping_the_nursery_is_no_death() -> None:
    done = run("""
nursery.watch(lambda: print("died", flush=True))
nursery.stop()
nursery._reader.join(20)
""")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


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
