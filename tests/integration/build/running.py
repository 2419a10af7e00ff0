"""Starting what a build made, as run/ starts it."""

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from integration.build.conftest import Builds

from hythe.engine.port import Container, ContainerSpec
from hythe.model import Build


@contextmanager
def running(builds: Builds, build: Build, process: str = "web") -> Iterator[Container]:
    """An instance of a build's process, as run/ starts it."""
    assert build.image and build.processes and build.result
    spec = ContainerSpec(
        name=f"{builds.names.prefix}.test.{build.id}",
        image=build.image,
        entrypoint=tuple(build.result["launch"]),
        command=(build.processes[process],),
        env={"PORT": "5000", "HYTHE_INSTANCE": f"{process}.1"},
        labels=builds.names.labels,
        user=build.result["user"],
    )
    container = builds.engine.instances.create(spec)
    builds.engine.instances.start(container.id)
    try:
        found = builds.engine.instances.get(container.id)
        assert found
        yield found
    finally:
        builds.engine.instances.remove(container.id)


def get(builds: Builds, container: Container, path: str = "/") -> str:
    """The body of its first answer below 500."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(
                f"http://{container.address}:5000{path}", timeout=5
            ) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            if error.code < 500:  # as run/ decides that an instance is ready
                raise
            time.sleep(0.05)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise AssertionError("\n".join(builds.engine.instances.logs(container.id)))
