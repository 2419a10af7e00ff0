"""The build: find the folder to serve, and nginx with a configuration for it.

Settings, as config vars that the build may see (BP_*):
BP_STATIC_ROOT     the folder to serve; else the first of FOLDERS with an index.html
BP_STATIC_SPA      true: a page that does not exist is answered with /index.html
"""

import hashlib
import os
import time
from pathlib import Path

from hythe_buildpack.apt import Apt
from hythe_buildpack.layer import Layer
from hythe_buildpack.report import Stop, detail, step, stop, warn

from hythe_static.nginx import configuration, start_script

FORMAT = "1"  # of the layer; part of its key
WEEK = 7 * 24 * 3600
FOLDERS = ("dist", "build", "out", "public", ".")
TRUE = ("1", "true", "yes", "on")


def main(app: Path, layers: Path) -> int:
    try:
        build(app, layers)
    except Stop as error:
        warn(error.cause)
        warn(error.fix)
        return 1
    return 0


def build(app: Path, layers: Path) -> None:
    step("Static site detected")
    root = find_root(app)
    spa = os.environ.get("BP_STATIC_SPA", "").lower() in TRUE
    detail(f"Serving {'the whole source' if root == app else root.relative_to(app)}")
    if spa:
        detail("Pages that do not exist are answered with /index.html")
    nginx = Layer(layers / "nginx")
    _provide(nginx, layers)
    site = Layer(layers / "site")
    site.clear()
    (site.folder / "nginx.conf").write_text(configuration(root, nginx.folder, spa=spa))
    script = site.folder / "start"
    script.write_text(start_script(site.folder, nginx.folder))
    script.chmod(0o755)
    site.declare("site", launch=True)
    process = f'[[processes]]\ntype = "web"\ncommand = ["{script}"]\ndefault = true\n'
    (layers / "launch.toml").write_text(process)


def find_root(app: Path) -> Path:
    """The folder to serve; stops where it holds no index.html."""
    named = os.environ.get("BP_STATIC_ROOT")
    for name in [named] if named else FOLDERS:
        folder = (app / name).resolve()
        if not folder.is_relative_to(app.resolve()):
            stop(
                f"BP_STATIC_ROOT is {name}, which leads out of the source.", "Name a folder in it."
            )
        if (folder / "index.html").is_file():
            return folder
    stop(
        f"There is no index.html in {named or ', '.join(FOLDERS)}.",
        "Set BP_STATIC_ROOT to the folder that holds it: `hythe config:set BP_STATIC_ROOT=site`.",
    )


def _provide(layer: Layer, layers: Path) -> None:
    """nginx from Debian; a week later at most it is fetched again, for security updates."""
    key = hashlib.sha256(f"{FORMAT} {int(time.time()) // WEEK}".encode()).hexdigest()
    if layer.key() == key:
        detail("Reusing nginx")
    else:
        layer.clear()
        step("Installing nginx")
        Apt(layers / "apt").unpack(["nginx-light"], layer.folder)
    layer.declare(key, launch=True)
