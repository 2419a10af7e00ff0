"""BuildKit, through a docker command, and what that prints, as lines that a person wants to read.

The docker SDK does not speak BuildKit.
"""

import ctypes
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from hythe.engine.docker.ceiling import limit_all
from hythe.engine.docker.client import Client
from hythe.engine.docker.order import Order
from hythe.engine.port import Limits
from hythe.errors import BuildError

PROBE_SECONDS = 20
LEAVE_SECONDS = 5  # from SIGTERM to SIGKILL of the docker command
PR_SET_PDEATHSIG = 1
KILLED = "exit code: 137"  # by SIGKILL
VALUE = "HYTHE_SECRET_"  # the docker command reads a secret from this variable

_LIBC = ctypes.CDLL(None)
_STEP_LINE = re.compile(r"#\d+ (.*)")
_OUTPUT = re.compile(r"\d+\.\d+ (.*)")  # after the seconds since the step's start
_FAILED_STEP = re.compile(r" > (\[.*):")


class BuildKit:
    def __init__(self, client: Client) -> None:
        self._client = client

    @cached_property
    def command(self) -> str | None:
        """A docker command that reaches the engine and speaks BuildKit."""
        for command in (shutil.which("docker"), "/usr/bin/docker"):
            if command and all(
                self._works([command, *probe]) for probe in (("build", "--help"), ("version",))
            ):
                return command
        return None

    def limit(self, limits: Limits) -> bool:
        """Limit the steps of all builds together; whether that was possible."""
        return self._client.url.startswith("unix:") and limit_all(limits)

    def run(self, order: Order) -> Iterator[str]:
        assert self.command
        command = [
            *(self.command, "build", "--progress=plain"),
            *(f"--label={key}={value}" for key, value in order.labels.items()),
            *(f"--build-arg={name}" for name in order.args),  # a value in argv is told by `ps`
            *(f"--secret=id={name},env={VALUE}{name}" for name in order.values),
            *(f"--secret=id={name},src={file}" for name, file in order.secrets.items()),
            *(f"--tag={order.ref}", f"--file={order.dockerfile}", str(order.context)),
        ]
        values = {f"{VALUE}{name}": value for name, value in order.values.items()}
        progress = PlainProgress()
        with subprocess.Popen(
            command,
            env={**os.environ, **order.args, **values, **self._connection()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=_die_with(os.getpid()),
        ) as process:
            assert process.stdout
            try:
                yield from progress.read(process.stdout)
            except BaseException:  # GeneratorExit: the reader has gone
                _end(process)
                raise
        if process.returncode:
            raise progress.failure(order.limits)

    def _works(self, command: list[str]) -> bool:
        try:
            done = subprocess.run(
                command,
                env={**os.environ, **self._connection()},
                capture_output=True,
                timeout=PROBE_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0

    def _connection(self) -> dict[str, str]:
        return {
            "DOCKER_HOST": self._client.url,
            "DOCKER_BUILDKIT": "1",
            "BUILDX_BUILDER": "default",  # the engine's own, whatever the operator has selected
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        }


def _die_with(parent: int) -> Callable[[], None]:
    """For the docker command: a build that ran on after its process was killed had no clock."""

    def die_with_parent() -> None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return die_with_parent


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(LEAVE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


class PlainProgress:
    """Yields each step's title and its output, and remembers what failed."""

    def __init__(self) -> None:
        self._step = ""
        self._error = ""

    def read(self, lines: Iterable[str]) -> Iterator[str]:
        for line in map(str.rstrip, lines):
            if numbered := _STEP_LINE.fullmatch(line):
                yield from self._in_step(numbered[1])
            elif failed := _FAILED_STEP.fullmatch(line):
                self._step = failed[1]
            elif line.strip(" -"):
                self._error = line

    def _in_step(self, text: str) -> Iterator[str]:
        if output := _OUTPUT.fullmatch(text):
            yield output[1]
        elif text.startswith("[") and not text.startswith("[internal]"):
            yield text
        elif text == "CACHED":
            yield "cached"

    def failure(self, limits: Limits) -> BuildError:
        step = self._step or "The build"
        if limits.memory and self._error.endswith(KILLED):
            return BuildError(
                f"{step} failed: it was killed, as happens over the {limits.memory >> 20} MiB of a"
                " build.",
                "Let the step use less memory, or let the operator raise HYTHE_BUILD_MEMORY.",
            )
        error = self._error.removeprefix("ERROR: ") or "the docker command ended without a word"
        return BuildError(f"{step} failed: {error}")
