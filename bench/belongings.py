"""What an installation, or a run of tests, has on the Docker engine: to look at, and to remove.

Nothing here inspects one object after the other: others come and go while a list is read.
"""

from contextlib import closing
from typing import Any

import docker
from docker.errors import NotFound


def of_installation(installation: str) -> str:
    return f"io.hythe.installation={installation}"


def containers(label: str, *, running: bool = False) -> list[dict[str, Any]]:
    """The engine's own rows (`Id`, `Labels`, `State`, `Status`), each with its `Name`."""
    with closing(docker.from_env()) as client:
        rows = client.api.containers(all=not running, filters={"label": label})
    return [{**row, "Name": row["Names"][0].lstrip("/")} for row in rows if row["Names"]]


def names(label: str, *, running: bool = False) -> list[str]:
    return [row["Name"] for row in containers(label, running=running)]


def remove(label: str, repository: str = "") -> None:
    """Containers, networks, volumes and images with a label, and the images of a repository."""
    with closing(docker.from_env()) as client:
        only, api = {"label": label}, client.api
        for row in api.containers(all=True, filters=only):
            _gone(api.remove_container, row["Id"], force=True, v=True)
        for row in api.networks(filters=only):
            _gone(api.remove_network, row["Id"])
        for row in api.volumes(filters=only)["Volumes"] or []:
            _gone(api.remove_volume, row["Name"], force=True)
        for row in api.images(filters=only):
            _gone(api.remove_image, row["Id"], force=True)
        for row in api.images():
            for tag in row["RepoTags"] or []:
                if repository and tag.startswith(repository):
                    _gone(api.remove_image, tag, force=True)


def _gone(remove: Any, name: str, **how: bool) -> None:
    try:
        remove(name, **how)
    except NotFound:
        return
