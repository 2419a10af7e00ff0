"""Builds on an image store that cannot assemble layers: images are committed from containers."""

from collections.abc import Callable

import pytest
from integration.build.conftest import Builds
from integration.build.running import running

from hythe.build.stage import BuildStage
from hythe.engine.docker.images import DockerImages

pytestmark = [pytest.mark.docker, pytest.mark.one_database("it is about containers")]


@pytest.fixture(autouse=True)
def containerd(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine says that its store is containerd's; builds' processes are forked after this."""
    monkeypatch.setattr(DockerImages, "assembles", lambda self: False)


def test_an_app_is_built_and_runs(builds: Builds, start: Callable[..., BuildStage]) -> None:
    start()
    build = builds.succeed({"Procfile": "web: cat words.txt", "words.txt": "some words"})
    with running(builds, build) as container:
        assert builds.engine.instances.wait(container.id, 30) == 0
        assert list(builds.engine.instances.logs(container.id)) == ["some words"]
    assert builds.engine.images.list(builds.names.layers_image(builds.app_id, "").rstrip(":"))
