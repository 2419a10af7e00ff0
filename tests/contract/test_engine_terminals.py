"""Interactive programs: what both engines promise, and what a real terminal adds."""

import threading
import time

import pytest
from contract.kit import CAT, FAILS, STUBBORN, UP, Kit

from hythe.engine.port import Terminal
from hythe.errors import EngineError, EngineLacks

SECONDS = 10


def read_until(terminal: Terminal, wanted: bytes, seconds: float = SECONDS) -> bytes:
    """Output up to and with what is wanted; fails when the output ends before."""
    seen, deadline = b"", time.monotonic() + seconds
    while wanted not in seen and time.monotonic() < deadline:
        _, data = terminal.read()
        assert data, seen
        seen += data
    assert wanted in seen
    return seen


def rest(terminal: Terminal) -> bytes:
    seen = b""
    while data := terminal.read()[1]:
        seen += data
    return seen


def test_who_attaches_before_the_start_misses_nothing(kit: Kit) -> None:
    container = kit.create(FAILS)
    terminal = kit.engine.sessions.attach(container.id)
    kit.instances.start(container.id)
    assert rest(terminal) == b"one\ntwo\n"
    assert kit.instances.wait(container.id, SECONDS) == 3


def test_input_reaches_the_program_and_its_end_too(kit: Kit) -> None:
    container = kit.create(CAT, stdin=True)
    terminal = kit.engine.sessions.attach(container.id)
    kit.instances.start(container.id)
    terminal.write(b"hello\n")
    assert read_until(terminal, b"\n") == b"hello\n"
    terminal.end_input()
    assert rest(terminal) == b""
    assert kit.instances.wait(container.id, SECONDS) == 0


def test_input_from_before_the_start_waits_for_the_program(kit: Kit) -> None:
    container = kit.create(CAT, stdin=True)
    terminal = kit.engine.sessions.attach(container.id)
    terminal.write(b"hello\n")
    terminal.end_input()
    kit.instances.start(container.id)
    assert rest(terminal) == b"hello\n"
    assert kit.instances.wait(container.id, SECONDS) == 0


def test_two_who_are_attached_both_see_the_output(kit: Kit) -> None:
    container = kit.create(UP)
    both = [kit.engine.sessions.attach(container.id) for _ in range(2)]
    kit.instances.start(container.id)
    for terminal in both:
        assert read_until(terminal, b"\n") == b"up\n"
        terminal.close()


def test_closing_ends_a_read_and_not_the_program(kit: Kit) -> None:
    container = kit.started()
    terminal = kit.engine.sessions.attach(container.id)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(rest(terminal)), daemon=True)
    reader.start()
    terminal.close()
    reader.join(SECONDS)
    assert read == [b""]
    assert kit.seen(container).state == "running"


def test_a_killed_container_ends_the_output(kit: Kit) -> None:
    container = kit.create(STUBBORN)
    terminal = kit.engine.sessions.attach(container.id)
    kit.instances.start(container.id)
    kit.instances.kill(container.id)
    assert rest(terminal) == b""


def test_size_cannot_change_before_the_start(kit: Kit) -> None:
    terminal = kit.engine.sessions.attach(kit.create(CAT, stdin=True, tty=True).id)
    with pytest.raises(EngineError):
        terminal.resize(24, 80)
    terminal.close()


def test_a_program_in_a_running_container_has_its_own_input_and_code(kit: Kit) -> None:
    container = kit.started()
    program = kit.engine.sessions.open(container.id, CAT)
    program.write(b"hello\n")
    assert read_until(program, b"\n") == b"hello\n"
    program.end_input()
    assert rest(program) == b""
    assert program.exit_code() == 0
    failing = kit.engine.sessions.open(container.id, FAILS)
    assert rest(failing) == b"one\ntwo\n"
    assert failing.exit_code() == 3
    assert kit.seen(container).state == "running"


def test_a_program_ends_with_its_container(kit: Kit) -> None:
    container = kit.started()
    program = kit.engine.sessions.open(container.id, UP)
    read_until(program, b"up\n")
    kit.instances.kill(container.id)
    assert rest(program) == b""
    assert program.exit_code() == 137


def test_nothing_is_opened_where_nothing_runs(kit: Kit) -> None:
    with pytest.raises(EngineLacks):
        kit.engine.sessions.attach("0" * 64)
    with pytest.raises(EngineLacks):
        kit.engine.sessions.open("0" * 64, CAT)
    with pytest.raises(EngineError):
        kit.engine.sessions.open(kit.create().id, CAT)


@pytest.mark.docker
def test_streams_stay_apart_without_a_terminal(docker_kit: Kit) -> None:
    container = docker_kit.create(("sh", "-c", "echo out; echo err >&2"))
    terminal = docker_kit.engine.sessions.attach(container.id)
    docker_kit.instances.start(container.id)
    seen = {1: b"", 2: b""}
    while (piece := terminal.read())[1]:
        seen[piece[0]] += piece[1]
    assert seen == {1: b"out\n", 2: b"err\n"}


@pytest.mark.docker
def test_a_megabyte_goes_in_and_comes_out(docker_kit: Kit) -> None:
    container = docker_kit.create(CAT, stdin=True)
    terminal = docker_kit.engine.sessions.attach(container.id)
    docker_kit.instances.start(container.id)
    data = bytes(range(256)) * 4096

    def write() -> None:
        terminal.write(data)
        terminal.end_input()

    threading.Thread(target=write, daemon=True).start()
    assert rest(terminal) == data


@pytest.mark.docker
def test_a_terminal_has_its_size_echoes_and_takes_signals(docker_kit: Kit) -> None:
    loop = "while :; do sleep 0.05; done"  # a trap waits for the command before it
    script = f"read line; stty size; trap 'echo caught; exit 4' INT; echo ready; {loop}"
    spec = {"stdin": True, "tty": True}
    container = docker_kit.create(("sh", "-c", script), **spec)
    terminal = docker_kit.engine.sessions.attach(container.id)
    docker_kit.instances.start(container.id)
    terminal.resize(33, 111)
    terminal.write(b"go\n")
    assert b"go\r\n33 111\r\n" in read_until(terminal, b"ready\r\n")
    terminal.write(b"\x03")  # the terminal makes SIGINT of it, as of ctrl-p nothing special
    assert b"caught" in read_until(terminal, b"caught\r\n")
    assert docker_kit.instances.wait(container.id, SECONDS) == 4


@pytest.mark.docker
def test_keys_at_which_docker_detaches_reach_the_program(docker_kit: Kit) -> None:
    script = "stty raw -echo; echo ready; head -c 2 | od -An -tx1"
    container = docker_kit.create(("sh", "-c", script), stdin=True, tty=True)
    terminal = docker_kit.engine.sessions.attach(container.id)
    docker_kit.instances.start(container.id)
    read_until(terminal, b"ready")
    terminal.write(b"\x10\x11")
    assert b"10 11" in read_until(terminal, b"11")
