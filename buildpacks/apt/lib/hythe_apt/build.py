"""The build: the packages of the Aptfile, in a layer that later buildpacks and the app see."""

from pathlib import Path

from hythe_buildpack.apt import Apt, names
from hythe_buildpack.debian import TRIPLET
from hythe_buildpack.layer import Layer, week_key
from hythe_buildpack.report import carry_out, detail, step


def main(app: Path, layers: Path) -> int:
    return carry_out(build, app, layers)


def build(app: Path, layers: Path) -> None:
    wanted = names(app)
    step(f"Installing Debian packages: {', '.join(wanted) or 'none'}")
    layer = Layer(layers / "packages")
    key = week_key(*wanted)
    if layer.key() == key:
        detail("Aptfile unchanged, reusing the packages")
    else:
        layer.clear()
        if wanted:
            Apt(layers / "apt").unpack(wanted, layer.folder)
        _declare_paths(layer)
    layer.declare(key, launch=True, build=True)


def _declare_paths(layer: Layer) -> None:
    """Where programs, libraries and headers lie, which a layer's own rules do not know."""
    root = layer.folder
    paths = {
        "PATH": ("usr/local/bin", "usr/bin", "usr/sbin", "bin", "usr/games"),
        "LD_LIBRARY_PATH": (f"usr/lib/{TRIPLET}", f"lib/{TRIPLET}", "usr/lib", "lib"),
        "LIBRARY_PATH": (f"usr/lib/{TRIPLET}", "usr/lib"),
        "CPATH": ("usr/include", f"usr/include/{TRIPLET}"),
        "PKG_CONFIG_PATH": (f"usr/lib/{TRIPLET}/pkgconfig", "usr/share/pkgconfig"),
    }
    for name, folders in paths.items():
        found = [str(root / folder) for folder in folders if (root / folder).is_dir()]
        if found:
            layer.env("env", f"{name}.prepend", ":".join(found))
            layer.env("env", f"{name}.delim", ":")
