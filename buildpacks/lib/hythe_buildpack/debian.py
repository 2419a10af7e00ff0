"""A server from Debian, in a layer of its own."""

import sysconfig
from collections.abc import Sequence
from pathlib import Path

from hythe_buildpack.apt import Apt
from hythe_buildpack.layer import Layer, week_key
from hythe_buildpack.report import detail, step

TRIPLET = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
LIBRARIES = (f"usr/lib/{TRIPLET}", f"lib/{TRIPLET}")


def provide(layers: Path, name: str, packages: Sequence[str], without: Sequence[str] = ()) -> Layer:
    """The layer `name` with these packages and all they need but `without`; kept for a week."""
    layer = Layer(layers / name)
    key = week_key(*packages)
    if layer.key() == key:
        detail(f"Reusing {name}")
    else:
        layer.clear()
        step(f"Installing {name}")
        Apt(layers / "apt", without).unpack(packages, layer.folder)
    layer.declare(key, launch=True)
    return layer


def libraries(layer: Layer) -> str:
    """Its value of LD_LIBRARY_PATH: for the server only, since the app has its own."""
    return ":".join(str(layer.folder / name) for name in LIBRARIES)
