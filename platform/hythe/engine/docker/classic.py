"""The classic builder: each step in a container of its own, whose limits we set.

The engine takes the memory limit with the build. It has no word for CPU and processes there, so we
set these on a step's container as soon as its name appears in the output: some milliseconds after
its start, in which memory alone limits it.
"""

import re
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

from docker.errors import APIError

from hythe.engine.docker.client import Client, brief, speaking
from hythe.engine.docker.order import Order
from hythe.engine.port import Limits
from hythe.errors import BuildError, HytheError

BAD_REQUEST = 400  # the Dockerfile cannot be parsed
# An entry in /etc/hosts that only containers of these builds have. A step may print any container's
# name; one without the mark keeps its own limits.
MARK = {"hythe-build": "127.0.0.1"}

_RUNNING = re.compile(r" ---> Running in ([0-9a-f]{12,64})\n")
_COLOUR = re.compile(r"\x1b\[(?:91|0)m")  # around what a step writes to stderr


class ClassicBuilder:
    def __init__(self, client: Client) -> None:
        self._client = client

    def run(self, order: Order) -> Iterator[str]:
        step, container, rest = "The build", "", ""
        with speaking(), closing(self._answers(order)) as answers:
            for answer in answers:
                if "error" in answer:
                    yield from filter(str.strip, [rest])
                    raise self._failure(step, container, answer["error"], order.limits)
                text = answer.get("stream", "")
                if running := _RUNNING.fullmatch(text):
                    container = running[1]
                    self._limit(container, order.limits)
                *lines, rest = _COLOUR.sub("", rest + text).split("\n")
                for line in filter(str.strip, lines):
                    if line.startswith("Step "):
                        step = line
                    yield line.rstrip("\r")

    def _answers(self, order: Order) -> Generator[dict[str, str]]:
        memory: Any = {"memory": order.limits.memory, "memswap": order.limits.memory}
        try:
            yield from self._client.api.build(
                path=str(order.context),
                dockerfile=str(order.dockerfile),
                tag=order.ref,
                labels=dict(order.labels),
                buildargs=dict(order.args),
                container_limits=memory,
                extra_hosts=MARK,
                network_mode=order.network,
                rm=True,
                forcerm=True,
                decode=True,
            )
        except APIError as error:
            if error.status_code != BAD_REQUEST:
                raise
            raise BuildError(f"The build failed: {brief(error.explanation)}") from error

    def _limit(self, container: str, limits: Limits) -> None:
        update = {"PidsLimit": limits.pids, "NanoCpus": int(limits.cpus * 1e9)}
        if not any(update.values()):
            return
        try:
            with speaking():
                host = self._client.api.inspect_container(container)["HostConfig"]
            if [f"{name}:{address}" for name, address in MARK.items()] == host["ExtraHosts"]:
                self._client.open("POST", f"/containers/{container}/update", json=update).close()
        except HytheError:
            if self._runs(container):  # else the step was faster than we
                raise

    def _runs(self, container: str) -> bool:
        try:
            return bool(self._client.api.inspect_container(container)["State"]["Running"])
        except APIError:
            return False

    def _failure(self, step: str, container: str, error: str, limits: Limits) -> BuildError:
        if container and self._out_of_memory(container):
            return BuildError(
                f"{step} failed: it used more than the {limits.memory >> 20} MiB of a build.",
                "Let the step use less memory, or let the operator raise HYTHE_BUILD_MEMORY.",
            )
        return BuildError(f"{step} failed: {brief(error)}")

    def _out_of_memory(self, container: str) -> bool:
        """Whether the engine tells of it; the container itself is gone."""
        end = int(time.time()) + 1  # the stream ends there
        events = self._client.api.events(
            since=1, until=end, filters={"container": container, "event": "oom"}
        )
        with closing(events):
            return any(True for _ in events)
