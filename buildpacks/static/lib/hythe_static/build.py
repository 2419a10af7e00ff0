"""The build: find the folder to serve, and nginx with a configuration for it.

Settings, as config vars that the build may see (BP_*):
BP_STATIC_ROOT     the folder to serve; else the first of FOLDERS with an index.html
BP_STATIC_SPA      true: a page that does not exist is answered with /index.html
"""

import os
from pathlib import Path

from hythe_buildpack import nginx, processes
from hythe_buildpack.debian import provide
from hythe_buildpack.layer import Layer
from hythe_buildpack.report import carry_out, detail, step, stop

from hythe_static.nginx import server

FOLDERS = ("dist", "build", "out", "public", ".")
TRUE = ("1", "true", "yes", "on")


def main(app: Path, layers: Path) -> int:
    return carry_out(build, app, layers)


def build(app: Path, layers: Path) -> None:
    step("Static site detected")
    root = find_root(app)
    spa = os.environ.get("BP_STATIC_SPA", "").lower() in TRUE
    detail(f"Serving {'the whole source' if root == app else root.relative_to(app)}")
    if spa:
        detail("Pages that do not exist are answered with /index.html")
    served_by = provide(layers, "nginx", nginx.PACKAGES)
    site = Layer(layers / "site")
    site.clear()
    file = site.folder / "nginx.conf"
    file.write_text(nginx.configuration(served_by, server(root, spa=spa)))
    site.declare("site", launch=True)
    processes.declare_web(layers, nginx.command(served_by, file))


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
