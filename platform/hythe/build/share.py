"""Where files that are not Python lie: in the package in a wheel, above it in a checkout.

Hythe's own image names another place in HYTHE_SHARE: one that has the same path on the host, since
build containers mount from there (image/entry).
"""

import os
from pathlib import Path

import hythe
from hythe.errors import PlatformError


def folder(name: str) -> Path:
    """The absolute path of a shared folder, such as `buildpacks`."""
    package = Path(hythe.__file__).resolve().parent
    shared = Path(os.environ.get("HYTHE_SHARE", package / "_share"))
    for place in (shared / name, package.parents[1] / name):
        if place.is_dir():
            return place
    raise PlatformError(
        f"The folder {name} is missing from this installation.", "Install Hythe again."
    )
