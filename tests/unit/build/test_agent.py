"""The agent of a build container starts programs, and says what they print and how they end."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hythe.build import share
from hythe.build.agent import LONGEST_LINE, SOCKET, Agent, lines
from hythe.build.workspace import Workspace
from hythe.errors import PlatformError

PROGRAM = share.folder("buildpacks") / "stack" / "agent.py"
DEADLINE = 60


class Container:
    """The agent without a container around it."""

    def __init__(self, folder: Path) -> None:
        self.workspace = Workspace(folder)
        self.workspace.scratch.mkdir()
        command = [sys.executable, "-IS", str(PROGRAM)]
        command += [str(self.workspace.scratch / SOCKET), "infinity"]
        self.process = subprocess.Popen(command, cwd=folder)
        self.agent = Agent.reach(self.workspace, DEADLINE)
        self.said: list[str] = []

    def run(self, *command: str, **env: str) -> int:
        return self.agent.run(command, env, str(self.workspace.folder), self.said.append)


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    container = Container(tmp_path)
    yield container
    container.process.kill()
    container.process.wait(DEADLINE)


def test_output_of_both_streams_and_the_exit_code(container: Container) -> None:
    assert container.run("sh", "-c", "echo one; echo two >&2; printf three; exit 7") == 7
    assert container.said == ["one", "two", "three"]


def test_environment_and_folder(container: Container, tmp_path: Path) -> None:
    assert container.run("sh", "-c", 'echo "$WORD"; pwd; echo "${PATH:+set}"', WORD="a\nb") == 0
    assert container.said == ["a", "b", str(tmp_path), "set"]


def test_bytes_that_are_no_text_pass(container: Container) -> None:
    word = b"\xff".decode(errors="surrogateescape")
    assert container.run("sh", "-c", '[ "$WORD" = "$(printf "\\377")" ]', WORD=word) == 0


def test_one_after_the_other(container: Container) -> None:
    assert [container.run("sh", "-c", f"exit {code}") for code in (0, 1, 2)] == [0, 1, 2]


def test_there_is_nothing_to_read(container: Container) -> None:
    assert container.run("cat") == 0


def test_a_program_that_is_not_there(container: Container) -> None:
    assert container.run("/no/such/program") == 127
    assert container.said == ["/no/such/program: No such file or directory"]


def test_a_program_that_may_not_be_run(container: Container, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert container.run(str(tmp_path / "file")) == 126
    assert container.said == [f"{tmp_path}/file: Permission denied"]


def test_a_signal_is_counted_as_a_shell_does(container: Container) -> None:
    assert container.run("sh", "-c", "kill -9 $$") == 128 + signal.SIGKILL


def test_what_a_program_leaves_running_is_not_waited_for(container: Container) -> None:
    started = time.monotonic()
    assert container.run("sh", "-c", "sleep 600 & echo $!") == 0
    assert time.monotonic() - started < DEADLINE
    subprocess.run(["kill", container.said[0]], check=True)


def test_a_background_program_that_prints_without_end(container: Container) -> None:
    assert container.run("sh", "-c", "yes & echo $!") == 0
    subprocess.run(["kill", container.said[0]], check=True)


def test_much_output_arrives_whole(container: Container) -> None:
    assert container.run("seq", "200000") == 0
    assert container.said == [str(number) for number in range(1, 200001)]


def test_an_agent_that_is_killed_counts_as_a_program_that_was(container: Container) -> None:
    assert container.run("sh", "-c", "kill -9 $PPID; sleep 1") == 137
    assert container.run("true") == 137


def test_the_agent_ends_with_the_connection(tmp_path: Path) -> None:
    container = Container(tmp_path)
    del container.agent
    assert container.process.wait(DEADLINE) == 0


def test_nobody_connects_a_second_time(container: Container) -> None:
    container.run("true")
    assert not (container.workspace.scratch / SOCKET).exists()


def test_a_container_that_never_answers(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.scratch.mkdir()
    with pytest.raises(PlatformError, match="does not answer"):
        Agent.reach(workspace, 0.1)


@pytest.mark.parametrize("nonsense", [b"o\xff\xff\xff\xff", b"x\0\0\0\1x", b"e\0\0\0\1x", b"o"])
def test_nonsense_counts_as_killed(nonsense: bytes) -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(nonsense)
    theirs.shutdown(socket.SHUT_WR)
    assert Agent(ours).run(["true"], {}, "/", print) == 137
    theirs.close()


def test_a_line_without_an_end_is_cut() -> None:
    pieces = [b"x" * LONGEST_LINE, b"y\r\nz"]
    assert list(lines(iter(pieces))) == ["x" * LONGEST_LINE, "y", "z"]
