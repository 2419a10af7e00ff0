"""Processes that outlive the command that started them."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from setup.process import Process, detach, tail

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Process]]:
    processes: list[Process] = []
    yield processes
    for process in processes:
        if process.alive():
            os.kill(process.pid, signal.SIGKILL)


def sleeper(tmp_path: Path, *command: str) -> Process:
    return detach(
        list(command) or ["sleep", "60"], tmp_path / "it.pid", tmp_path / "it.log", dict(os.environ)
    )


def test_pid_file_is_there_as_soon_as_the_program_runs(
    tmp_path: Path, started: list[Process]
) -> None:
    process = sleeper(tmp_path, "cat", str(tmp_path / "it.pid"))
    assert process.wait(10)
    assert tail(tmp_path / "it.log").split() == [str(process.pid), str(process.started)]


def test_process_is_found_again_by_its_pid_file(tmp_path: Path, started: list[Process]) -> None:
    started.append(process := sleeper(tmp_path))
    assert Process.load(tmp_path / "it.pid") == process


def test_pid_file_of_an_earlier_process_with_the_same_id_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "it.pid").write_text(f"{os.getpid()} 1\n")
    assert Process.load(tmp_path / "it.pid") is None


def test_garbage_in_a_pid_file_is_no_process(tmp_path: Path) -> None:
    (tmp_path / "it.pid").write_text("")
    assert Process.load(tmp_path / "it.pid") is None


def test_ended_process_is_dead_although_nobody_reaped_it(tmp_path: Path) -> None:
    process = sleeper(tmp_path, "true")
    assert process.wait(10)
    assert not process.alive()


def test_stop_ends_a_process_that_ignores_sigterm(tmp_path: Path, started: list[Process]) -> None:
    started.append(process := sleeper(tmp_path, sys.executable, "-c", STUBBORN))
    while not tail(tmp_path / "it.log"):
        assert process.alive()
    process.stop(0.2)
    assert not process.alive()


def test_large_log_is_set_aside_at_the_next_start(tmp_path: Path) -> None:
    log = tmp_path / "it.log"
    with log.open("wb") as file:
        file.truncate(11 * 1000**2)
    assert sleeper(tmp_path, "echo", "new").wait(10)
    assert log.read_text() == "new\n"
    assert (tmp_path / "it.log.1").stat().st_size == 11 * 1000**2
