"""The launcher as PID 1 of real containers of the run image."""

import time
from collections.abc import Iterator

import pytest

from hythe.build.stack import LAUNCHER, recipe
from hythe.engine.port import ContainerSpec, Engine

pytestmark = [
    pytest.mark.docker,
    pytest.mark.usefixtures("stack"),
    pytest.mark.one_database("it is about containers"),
]

NAME = "hythe-test-launcher"


class Launched:
    """A container that runs a command line under the launcher."""

    def __init__(self, engine: Engine, labels: dict[str, str]) -> None:
        self.engine, self.labels, self.id = engine, labels, ""

    def start(self, command: str) -> "Launched":
        spec = ContainerSpec(
            name=NAME,
            image=recipe().reference("run"),
            entrypoint=(LAUNCHER,),
            command=(command,),
            labels=self.labels,
            network="none",
        )
        self.id = self.engine.instances.create(spec).id
        self.engine.instances.start(self.id)
        return self

    def said(self, line: str) -> None:
        """Wait until it printed a line."""
        end = time.monotonic() + 20
        while line not in self.lines():
            assert time.monotonic() < end, self.lines()
            time.sleep(0.02)

    def lines(self) -> list[str]:
        return list(self.engine.instances.logs(self.id))

    def code(self) -> int | None:
        return self.engine.instances.wait(self.id, 20)


@pytest.fixture
def launched(engine: Engine, docker_label: dict[str, str]) -> Iterator[Launched]:
    launched = Launched(engine, docker_label)
    yield launched
    engine.instances.remove(launched.id)


@pytest.mark.parametrize(("command", "code"), [("exit 7", 7), ("true", 0), ("kill -9 $$", 137)])
def test_the_commands_status_is_the_containers(launched: Launched, command: str, code: int) -> None:
    assert launched.start(command).code() == code


def test_variables_expand_and_the_shell_leaves_no_process_behind(launched: Launched) -> None:
    launched.start(
        "tr '\\0' ' ' </proc/self/stat >/dev/null; exec sh -c 'echo $PPID is the parent'"
    )
    launched.code()
    assert launched.lines() == ["1 is the parent"]


def test_sigterm_reaches_a_process_behind_a_shell(launched: Launched) -> None:
    worker = "trap 'sleep 0.3; echo drained; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    launched.start(f'true && bash -c "{worker}" && echo never')
    launched.said("ready")
    started = time.monotonic()
    launched.engine.instances.stop(launched.id, 20)
    assert time.monotonic() - started < 10
    assert "drained" in launched.lines()


def test_other_signals_are_passed_on(launched: Launched) -> None:
    launched.start("trap 'echo reloaded; exit 3' USR1; echo ready; while :; do sleep 0.05; done")
    launched.said("ready")
    launched.engine.instances.kill(launched.id, "SIGUSR1")
    assert launched.code() == 3
    assert "reloaded" in launched.lines()


def test_orphans_are_reaped(launched: Launched) -> None:
    launched.start("for i in 1 2 3; do (setsid sleep 0.05 &); done; sleep 0.5; grep -l 'State:.Z' "
                   "/proc/[0-9]*/status 2>/dev/null; echo done")  # fmt: skip
    assert launched.code() == 0
    assert launched.lines() == ["done"]


def test_what_is_left_gets_sigterm_and_a_moment(launched: Launched) -> None:
    left = "trap 'echo told; exit 0' TERM; while :; do sleep 0.05; done"
    launched.start(f'bash -c "{left}" & sleep 0.3; exit 4')
    assert launched.code() == 4
    assert "told" in launched.lines()


def test_beside_another_pid_1_it_only_becomes_the_command(
    launched: Launched, engine: Engine
) -> None:
    launched.start("echo ready; sleep 60")
    launched.said("ready")
    done = engine.sessions.run(launched.id, [LAUNCHER, "echo second; exit 5"])
    assert (done.output.strip(), done.code) == ("second", 5)
    running = engine.instances.get(launched.id)
    assert running and running.state == "running"
