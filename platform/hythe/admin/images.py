"""Images that a restored installation finds on its machine: those of the one that was backed up.

They get a name of its own, or they would go with the other installation.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, select

from hythe.engine import docker
from hythe.errors import EngineError
from hythe.model import Build
from hythe.names import Names


@dataclass(frozen=True, slots=True)
class Built:
    """The image of a build."""

    app_id: int
    build_id: int
    image: str  # its id


def of_builds(connection: Connection) -> list[Built]:
    rows = connection.execute(select(Build.app_id, Build.id, Build.image))
    return [Built(app_id, build_id, image) for app_id, build_id, image in rows if image]


def name(names: Names, every: Iterable[Built]) -> int:
    """Name those that are here; returns how many. Without an engine none is, and that is fine."""
    images = docker.connect().images
    here = 0
    try:
        for one in every:
            if images.find(one.image) is not None:
                images.tag(one.image, names.build_image(one.app_id, one.build_id))
                here += 1
    except EngineError:
        return here
    return here
