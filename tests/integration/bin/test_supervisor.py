"""The supervisor starts again what has ended."""

import os
import signal
import time
from collections.abc import Iterator

import pytest
from setup.place import Place
from setup.programs import Program
from setup.supervisor import LONGEST_PAUSE, Watch


@pytest.fixture
def program(place: Place) -> Iterator[Program]:
    program = Program("sleeper", ("sleep", "60"), lambda: True, stop_seconds=5)
    yield program
    program.stop(place)


def kill(program: Program, place: Place) -> None:
    process = program.process(place)
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(10)


def test_running_program_is_adopted_and_not_started_twice(place: Place, program: Program) -> None:
    before = program.start(place)
    watch = Watch(program, place)
    watch.check(time.monotonic())
    assert watch.process == before


def test_killed_program_is_started_again_at_once(place: Place, program: Program) -> None:
    before = program.start(place)
    watch = Watch(program, place)
    kill(program, place)
    watch.check(time.monotonic())
    assert watch.process is not None
    assert watch.process != before
    assert watch.process.alive()


def test_program_that_keeps_ending_is_started_ever_later(place: Place, program: Program) -> None:
    program.start(place)
    watch, now, pauses = Watch(program, place), time.monotonic(), []
    for _ in range(4):
        kill(program, place)
        watch.check(now)
        pauses.append(watch.due - now)
        now = watch.due
        watch.check(now)
    assert pauses == [0.0, 1.0, 2.0, 4.0]


def test_pause_is_short_again_after_a_long_life(place: Place, program: Program) -> None:
    program.start(place)
    watch, now = Watch(program, place), time.monotonic()
    for _ in range(3):
        kill(program, place)
        watch.check(now)
        now = watch.due
        watch.check(now)
    kill(program, place)
    later = now + LONGEST_PAUSE + 1
    watch.check(later)
    assert watch.due == later
