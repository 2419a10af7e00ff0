"""Dockerfile builds: by BuildKit where a docker command can reach it, else by the classic builder.

BuildKit runs `RUN --mount` and heredocs, but puts no limit on a step's memory, CPU or processes;
the classic builder limits memory. Either way the caller limits time, by closing the iterator.
"""

import os
import shutil
import subprocess
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

from docker.errors import APIError

from hythe.engine.docker.buildkit import PlainProgress
from hythe.engine.docker.client import Client, brief, speaking
from hythe.engine.port import Limits
from hythe.errors import BuildError

PROBE_SECONDS = 20
BAD_REQUEST = 400  # the Dockerfile cannot be parsed
LEAVE_SECONDS = 5  # from SIGTERM to SIGKILL of the docker command


class DockerfileBuild:
    def __init__(self, client: Client) -> None:
        self._client = client

    def run(
        self, context: Path, dockerfile: str, ref: str, labels: Mapping[str, str], limits: Limits
    ) -> Iterator[str]:
        path = (context / dockerfile).resolve()
        if not path.is_relative_to(context.resolve()) or not path.is_file():
            raise BuildError(
                f"{dockerfile} is not a file of the source.", "Put the Dockerfile into the source."
            )
        if command := self._buildkit:
            arguments = [f"--label={key}={value}" for key, value in labels.items()]
            arguments += [f"--tag={ref}", f"--file={path}", str(context)]
            return self._by_buildkit([command, "build", "--progress=plain", *arguments])
        return self._by_classic(context, dockerfile, ref, labels, limits)

    @cached_property
    def _buildkit(self) -> str | None:
        """A docker command that reaches the engine and speaks BuildKit."""
        for command in (shutil.which("docker"), "/usr/bin/docker"):
            if command and all(
                self._works([command, *probe]) for probe in (("build", "--help"), ("version",))
            ):
                return command
        return None

    def _works(self, command: list[str]) -> bool:
        try:
            done = subprocess.run(
                command, env=self._environment, capture_output=True, timeout=PROBE_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0

    @property
    def _environment(self) -> dict[str, str]:
        return os.environ | {
            "DOCKER_HOST": self._client.url,
            "DOCKER_BUILDKIT": "1",
            "BUILDX_BUILDER": "default",  # the engine's own, whatever the operator has selected
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        }

    def _by_buildkit(self, command: list[str]) -> Iterator[str]:
        progress = PlainProgress()
        with subprocess.Popen(
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout
            try:
                yield from progress.read(process.stdout)
            except BaseException:  # GeneratorExit: the reader has gone
                _end(process)
                raise
        if process.returncode:
            raise BuildError(progress.cause())

    def _by_classic(
        self, context: Path, dockerfile: str, ref: str, labels: Mapping[str, str], limits: Limits
    ) -> Iterator[str]:
        step = "The build"
        with (
            speaking(),
            closing(self._answers(context, dockerfile, ref, labels, limits)) as answers,
        ):
            for answer in answers:
                if "error" in answer:
                    raise BuildError(f"{step} failed: {brief(answer['error'])}")
                for line in answer.get("stream", "").splitlines():
                    if line.startswith("Step "):
                        step = line
                    if line.strip():
                        yield line

    def _answers(
        self, context: Path, dockerfile: str, ref: str, labels: Mapping[str, str], limits: Limits
    ) -> Generator[dict[str, str]]:
        try:
            yield from self._client.api.build(
                path=str(context),
                dockerfile=dockerfile,
                tag=ref,
                labels=dict(labels),
                container_limits=_memory(limits),
                rm=True,
                forcerm=True,
                decode=True,
            )
        except APIError as error:
            if error.status_code != BAD_REQUEST:
                raise
            raise BuildError(f"The build failed: {brief(error.explanation)}") from error


def _memory(limits: Limits) -> Any:
    return {"memory": limits.memory, "memswap": limits.memory}


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(LEAVE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
