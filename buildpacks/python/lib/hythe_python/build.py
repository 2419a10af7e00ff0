"""The build: Python, hooks, environment, static files, web process, bytecode."""

import re
import shutil
from pathlib import Path

from hythe_buildpack import processes, procfile
from hythe_buildpack.report import carry_out, step, stop, warn

from hythe_python import bytecode, dependencies, django, interpreter, source, web
from hythe_python.architecture import Architecture
from hythe_python.environment import Environment
from hythe_python.hooks import run_hook


def main(app: Path, layers: Path) -> int:
    return carry_out(build, app, layers)


def build(app: Path, layers: Path) -> None:
    step("Python app detected")
    _drop_committed_environments(app)
    run_hook(app, "pre_compile", {})
    python = interpreter.provide(app, layers)
    environment = Environment(layers, python)
    environment.install(app, dependencies.find(app, python.version))
    django.collect_static(app, environment.variables)
    run_hook(app, "post_compile", environment.variables)
    file = app / "Procfile"
    declared = procfile.declared(source.text(file)) if file.is_file() else {}
    if "web" not in declared:
        _infer_web(app, layers, environment, has_procfile=bool(declared))
    else:
        _warn_of_missing_server(declared["web"], environment)
        _warn_of_choice()
    bytecode.compile_with(python.program, app)


def _infer_web(app: Path, layers: Path, environment: Environment, *, has_procfile: bool) -> None:
    served = web.find(app)
    if served is None:
        if has_procfile:
            return
        stop(
            "There is no Procfile, and no WSGI or ASGI callable in "
            + ", ".join(web.FILES[:5])
            + ".",
            "Add a Procfile with a line such as: web: gunicorn --bind 0.0.0.0:$PORT shop:app",
        )
    step(f"No web process declared; serving the {served.described}")
    processes.declare_web(layers, Architecture.read().line(app, layers, environment, served))


def _warn_of_missing_server(command: str, environment: Environment) -> None:
    named = re.match(r"(?:exec\s+)?(gunicorn|uvicorn|hypercorn|daphne|waitress-serve)\b", command)
    if named and not (environment.layer.folder / "bin" / named[1]).exists():
        warn(
            f"The Procfile's web process runs {named[1]}, which the app's dependencies do not name."
        )
        warn(f"Add {named[1]} to them, or the process will not start.")


def _warn_of_choice() -> None:
    if Architecture.read().named:
        warn("The Procfile declares web, so BP_PYTHON_SERVER and BP_FRONT_CACHE do nothing.")
        warn("Remove the web line from the Procfile to let them choose the servers.")


def _drop_committed_environments(app: Path) -> None:
    """What is in them was made for another machine, and by another Python."""
    for marker in sorted(app.glob("*/pyvenv.cfg")):
        name = marker.parent.name
        warn(f"{name}/ is a virtual environment; it is left out.")
        warn(f"Run `git rm -r --cached {name}` and add {name}/ to .gitignore.")
        shutil.rmtree(marker.parent)
