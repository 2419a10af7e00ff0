"""Build processes that another control plane has left are ended, and no others."""

import os
import signal
import subprocess
import sys

import pytest

from hythe.build.living import end_all, living
from hythe.settings import Settings

HOLD = """
import sys, time
from pathlib import Path
from hythe.build.living import living
from hythe.settings import Settings
with living(Settings(home=Path(sys.argv[1]))):
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_build_process_that_lives_is_killed_even_when_it_is_stopped(settings: Settings) -> None:
    command = [sys.executable, "-c", HOLD, str(settings.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGSTOP)
        end_all(settings)
        assert process.wait(5) == -signal.SIGKILL
    assert list((settings.run_dir / "builds").iterdir()) == []


def test_a_lock_that_nobody_holds_harms_nobody(settings: Settings) -> None:
    with living(settings):
        path = next((settings.run_dir / "builds").iterdir())
        left = path.with_name(f"{os.getppid()}.lock")
        left.touch()
    end_all(settings)  # the parent, whose number it bears, lives on
    assert not left.exists()
    os.kill(os.getppid(), 0)


def test_a_number_that_is_another_process_s_by_now_is_not_killed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hythe.build.living.END_SECONDS", 0.2)
    with subprocess.Popen(["sleep", "60"]) as bystander, living(settings):
        mine = next((settings.run_dir / "builds").iterdir())
        theirs = mine.with_name(f"{bystander.pid}.lock")
        mine.rename(theirs)
        with pytest.raises(Exception, match="does not end"):
            end_all(settings)
        assert bystander.poll() is None
        bystander.kill()
