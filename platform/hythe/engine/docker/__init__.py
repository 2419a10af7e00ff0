"""The engine's ports on a Docker Engine (20.10 and later), through the docker SDK."""

from hythe.engine.docker.client import Client
from hythe.engine.docker.images import DockerImages
from hythe.engine.docker.instances import DockerInstances
from hythe.engine.docker.sessions import DockerSessions
from hythe.engine.port import Engine

__all__ = ["connect"]


def connect(url: str | None = None) -> Engine:
    """The engine at url; None means DOCKER_HOST, else the local socket.

    Nothing is sent yet: an engine that is away raises EngineAway at the first use.
    """
    client = Client(url)
    return Engine(DockerImages(client), DockerInstances(client), DockerSessions(client))
