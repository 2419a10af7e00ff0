"""Where files that are not Python lie: in the package in a wheel, above it in a checkout."""

from pathlib import Path

import hythe
from hythe.errors import PlatformError


def folder(name: str) -> Path:
    """The absolute path of a shared folder, such as `buildpacks`."""
    package = Path(hythe.__file__).resolve().parent
    for place in (package / "_share" / name, package.parents[1] / name):
        if place.is_dir():
            return place
    raise PlatformError(
        f"The folder {name} is missing from this installation.", "Install Hythe again."
    )
