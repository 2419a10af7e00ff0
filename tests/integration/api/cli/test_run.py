"""One-off runs from the command line to containers of a real engine: terminals, pipes, kills."""

import fcntl
import json
import os
import pty
import selectors
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import make_app, make_deployment, make_release
from images import BUSYBOX, busybox
from sqlalchemy import select

from hythe.engine.port import Container, ContainerSpec, Engine
from hythe.model import App, Database, Instance, Run
from hythe.run.oneoffs import OneOffs
from hythe.settings import Settings

from ..live_api import ControlPlane, control_plane

pytestmark = [
    pytest.mark.docker,
    pytest.mark.one_database("the engine and the terminal are what is tested"),
]

SECONDS = 30
HYTHE = [sys.executable, "-m", "hythe.cli"]
Command = Callable[..., list[str]]


@pytest.fixture
def plane(settings: Settings, database: Database, engine: Engine) -> Iterator[ControlPlane]:
    busybox(engine)
    with control_plane(settings, database, engine) as plane:
        names = plane.context.names
        stage = OneOffs(plane.settings, database, engine, names, plane.vault, lambda *_: None)
        stage.start()
        yield plane
        stage.stop()
        for container in engine.instances.list(names.labels):
            engine.instances.remove(container.id)
        for network in engine.instances.list_networks(names.labels):
            engine.instances.remove_network(network)


@pytest.fixture(autouse=True)
def shop(plane: ControlPlane, engine: Engine) -> App:
    image = engine.images.find(BUSYBOX)
    assert image
    with plane.database.write() as tx:
        app = make_app(tx)
        release = make_release(tx, plane.vault, plane.settings, app, image=image.id)
        own = {"kind": "image", "launch": ["/bin/sh", "-c"], "user": None, "init": True}
        release.spec = {**release.spec, **own}
        app.serving_id = make_deployment(tx, app, release).id
        return app


@pytest.fixture
def env(plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)  # in no git repository, whose remote might name an app
    own = {"HYTHE_API": plane.url, "HYTHE_TOKEN": plane.token(), "HYTHE_APP": "shop"}
    return {**os.environ, **own, "HOME": str(tmp_path), "TERM": "xterm"}


@pytest.fixture
def web(plane: ControlPlane, engine: Engine, shop: App) -> Container:
    """web.1: a container that waits."""
    with plane.database.write() as tx:
        row = Instance(
            app_id=shop.id,
            deployment_id=shop.serving_id,
            process="web",
            index=1,
            address="10.192.0.16",
            state="up",
        )
        tx.add(row)
    name = plane.context.names.instance("shop", "web", 1, row.id)
    spec = ContainerSpec(
        name, BUSYBOX, ("sleep", "300"), init=True, labels=plane.context.names.labels
    )
    made = engine.instances.create(spec)
    engine.instances.start(made.id)
    return made


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def only_run(plane: ControlPlane) -> Run:
    with plane.database.read() as session:
        return session.scalars(select(Run)).one()


def ended(plane: ControlPlane) -> Run:
    until(lambda: only_run(plane).state == "ended")
    return only_run(plane)


def no_containers(plane: ControlPlane, engine: Engine) -> bool:
    return not engine.instances.list({**plane.context.names.labels, "io.hythe.kind": "run"})


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, arguments: list[str], env: dict[str, str], rows: int, columns: int) -> None:
        sized, told = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.read(sized, 1)
            os.execve(sys.executable, [*HYTHE, *arguments], env)
        self.resize(rows, columns)
        os.write(told, b"!")
        os.close(sized)
        os.close(told)
        self.seen = b""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _readable(self, seconds: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self.fd, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def type(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def wait(self, wanted: bytes) -> bytes:
        """Until this has been shown since the last wait; returns what was shown before it."""
        deadline = time.monotonic() + SECONDS
        while wanted not in self.seen:
            left = deadline - time.monotonic()
            assert left > 0, self.seen
            if self._readable(left):
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:
                    raise AssertionError(f"it ended: {self.seen!r}") from None
        before, _, self.seen = self.seen.partition(wanted)
        return before

    def size(self) -> bytes:
        """What `stty size` says in the shell that waits there."""
        self.type(b"stty size; echo done\r")
        self.wait(b"echo done\r\n")
        return self.wait(b"done\r\n")

    def exit_code(self) -> int:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if self._readable(0.1):
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:  # nobody holds the other side any more
                    break
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return code


def test_a_shell_at_a_terminal(plane: ControlPlane, env: dict[str, str], engine: Engine) -> None:
    terminal = Terminal(["run", "sh"], env, 33, 111)
    terminal.wait(b"# ")
    terminal.type(b"stty size; echo $DYNO-$TERM\r")
    terminal.wait(b"33 111\r\n")
    terminal.wait(b"run.1-xterm-256color\r\n")
    terminal.resize(44, 122)
    terminal.wait(b"# ")
    until(lambda: b"44 122" in terminal.size())
    terminal.type(b"sh -c 'echo up; exec sleep 300'\r")
    terminal.wait(b"\nup\r\n")
    terminal.type(b"\x03")  # ends the sleep, not the shell, nor the command line
    terminal.type(b"exit 5\r")
    assert terminal.exit_code() == 5
    run = ended(plane)
    assert (run.reason, run.exit_code, run.tty) == ("exited", 5, True)
    until(lambda: no_containers(plane, engine))


def test_pipes_carry_bytes_both_ways(plane: ControlPlane, env: dict[str, str]) -> None:
    data = bytes(range(256)) * 8192  # 2 MiB, more than what may be on its way
    ran = subprocess.run(
        [*HYTHE, "run", "--", "cat"], env=env, input=data, capture_output=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == data


def test_streams_stay_apart_and_the_exit_code_is_passed_through(
    plane: ControlPlane, env: dict[str, str]
) -> None:
    line = "echo $HYTHE_RELEASE; echo oops >&2; exit 7"
    ran = subprocess.run(
        [*HYTHE, "run", line],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        text=True,
    )
    assert (ran.returncode, ran.stdout) == (7, "v1\n")
    assert ran.stderr.splitlines() == [f"Running {line} on shop... run.1", "oops"]


def test_words_stay_as_they_were_typed(plane: ControlPlane, env: dict[str, str]) -> None:
    words = [*HYTHE, "run", "--", "printf", "%s\\n", "$HOME", "a b", "--app"]
    ran = subprocess.run(words, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert ran.stdout == b"$HOME\na b\n--app\n"


def test_a_signal_is_the_programs(plane: ControlPlane, env: dict[str, str]) -> None:
    line = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done"
    ran = subprocess.Popen(
        [*HYTHE, "run", line], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert ran.stdout
    assert ran.stdout.readline() == b"ready\n"
    ran.send_signal(signal.SIGINT)
    assert ran.stdout.readline() == b"caught\n"
    assert ran.wait(SECONDS) == 9


def test_a_client_that_is_killed_leaves_no_container(
    plane: ControlPlane, env: dict[str, str], engine: Engine
) -> None:
    ran = subprocess.Popen(
        [*HYTHE, "run", "echo ready; exec sleep 300"], env=env, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert ran.stdout
    assert ran.stdout.readline() == b"ready\n"
    ran.kill()
    run = ended(plane)
    assert (run.reason, run.exit_code) == ("client-gone", 143)
    until(lambda: no_containers(plane, engine))


def test_too_much_memory_is_said(plane: ControlPlane, env: dict[str, str]) -> None:
    words = ["run", "-m", "16m", "--", "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]
    ran = subprocess.run(
        [*HYTHE, *words], env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60
    )
    assert ran.returncode == 137
    assert b"R15" in ran.stderr
    assert ended(plane).reason == "memory"


def test_a_detached_run_is_listed_and_stopped(plane: ControlPlane, env: dict[str, str]) -> None:
    def hythe(*words: str) -> str:
        ran = subprocess.run(
            [*HYTHE, *words], env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.decode()

    assert hythe("run:detached", "sleep 300").startswith("Running sleep 300 on shop... done, run.1")
    until(lambda: only_run(plane).state == "running")
    assert "run.1: running for" in hythe("ps")
    assert hythe("runs:stop", "run.1") == "Stopping run.1... done, stopped 143\n"
    assert json.loads(hythe("runs", "--json"))[0]["reason"] == "stopped"
    assert "stopped 143" in hythe("runs")


def test_a_program_in_a_live_instance(
    plane: ControlPlane, env: dict[str, str], web: Container, engine: Engine
) -> None:
    ran = subprocess.run(
        [*HYTHE, "ps:exec", "cat; exit 4"], env=env, input=b"hello\n", capture_output=True,
        timeout=60,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (4, b"hello\n")
    assert b"in web.1 of shop... run.1" in ran.stderr
    terminal = Terminal(["ps:exec", "-i", "web.1"], env, 33, 111)
    terminal.wait(b"# ")
    until(lambda: b"33 111" in terminal.size())  # an engine before 23 is told it after the start
    terminal.type(b"exit 6\r")
    assert terminal.exit_code() == 6
    found = engine.instances.get(web.id)
    assert found
    assert found.state == "running"


def test_an_exec_whose_client_is_killed_leaves_no_process(
    plane: ControlPlane, env: dict[str, str], web: Container, engine: Engine
) -> None:
    line = "echo ready; trap '' HUP TERM; (sleep 299; true); sleep 298"
    ran = subprocess.Popen(
        [*HYTHE, "ps:exec", line], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert ran.stdout
    assert ran.stdout.readline() == b"ready\n"
    assert b"sleep 299" in processes(engine, web)
    ran.kill()
    run = ended(plane)
    assert (run.kind, run.reason) == ("exec", "client-gone")
    left = processes(engine, web)
    assert b"sleep 299" not in left
    assert b"sleep 298" not in left
    assert b"sleep 300" in left  # the instance itself


def processes(engine: Engine, container: Container) -> bytes:
    return engine.sessions.run(container.id, ["ps", "-o", "args"]).output.encode()
