"""The supervisor starts again what has ended."""

import os
import signal
import time
from collections.abc import Iterator

import pytest
from setup.place import Place
from setup.programs import HANG_SECONDS, Program, programs
from setup.supervisor import LONGEST_PAUSE, LOOK_SECONDS, Watch

from hythe.observe import pulse
from hythe.observe.pulse import pulse_file


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


def test_program_that_hangs_at_two_looks_is_ended_and_started_again(place: Place) -> None:
    """Even one that is stopped, which SIGTERM does not end."""
    hangs = True
    program = Program("hanging", ("sleep", "60"), lambda: True, 5, hangs=lambda: hangs)
    before = program.start(place)
    try:
        os.kill(before.pid, signal.SIGSTOP)
        watch, now = Watch(program, place), time.monotonic()
        watch.check(now)
        assert before.alive()
        hangs = False
        watch.check(now + LOOK_SECONDS)  # it works again: the machine had slept
        hangs = True
        watch.check(now + 2 * LOOK_SECONDS)
        assert before.alive()
        watch.check(now + 3 * LOOK_SECONDS)
        assert not before.alive()
        assert watch.process is not None
        assert watch.process.alive()
    finally:
        program.stop(place)


def test_collector_hangs_when_it_was_silent_for_long(place: Place) -> None:
    collector = programs(place)[2]
    lock = place.run / "collector.lock"
    assert not collector.hangs()
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    assert not collector.hangs()
    before = time.time() - HANG_SECONDS - 1
    os.utime(lock, (before, before))
    assert collector.hangs()
    assert pulse_file(place.home) == lock
    assert pulse.HANG_SECONDS == HANG_SECONDS
