"""Dockerfile builds: by the classic builder, which has limits, unless one needs BuildKit.

The classic builder limits a step's memory, CPU and processes, but mounts nothing into it. BuildKit
mounts secrets and caches and knows no networks but its own; its steps have a limit together where
cgroups allow it. The caller limits the time of both, by closing the iterator or by being killed.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from hythe.engine.docker.buildkit import BuildKit
from hythe.engine.docker.classic import ClassicBuilder
from hythe.engine.docker.client import Client
from hythe.engine.docker.dockerfile import PREDEFINED, Dockerfile
from hythe.engine.docker.order import Order
from hythe.engine.port import Limits
from hythe.errors import BuildError


class DockerfileBuild:
    def __init__(self, client: Client) -> None:
        self._classic = ClassicBuilder(client)
        self._buildkit = BuildKit(client)

    def run(
        self,
        context: Path,
        dockerfile: str,
        ref: str,
        labels: Mapping[str, str],
        limits: Limits,
        args: Mapping[str, str],
        secrets: Mapping[str, Path],
        network: str | None,
    ) -> Iterator[str]:
        path = (context / dockerfile).resolve()
        if not path.is_relative_to(context.resolve()) or not path.is_file():
            raise BuildError(
                f"{dockerfile} is not a file of the source.", "Put the Dockerfile into the source."
            )
        read = Dockerfile.read(path)
        values = {name: args[name] for name in args if name not in PREDEFINED}
        order = Order(
            context, path, ref, labels, limits, read.accepted(args), values, secrets, network
        )
        return self._lines(read, order, read.withheld(args))

    def _lines(self, read: Dockerfile, order: Order, withheld: list[str]) -> Iterator[str]:
        for name in withheld:
            yield f"ARG {name} would keep the operator's value in the image: left out"
        if read.buildkit is None:
            yield from self._classic.run(order)
            return
        if self._buildkit.command is None:
            raise BuildError(
                f"The Dockerfile needs BuildKit for `{read.buildkit}`, and no docker command here"
                " speaks it.",
                "Write the Dockerfile without that, or let the operator install docker's client.",
            )
        limited = self._buildkit.limit(order.limits)
        yield f"{read.buildkit} needs BuildKit: steps reach the host's ports" + (
            "" if limited else ", and are limited in time only, not in memory, CPU or processes"
        )
        yield from self._buildkit.run(order)
