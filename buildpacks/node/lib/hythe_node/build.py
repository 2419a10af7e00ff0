"""The build: Node, node_modules, the app's build script, the web process."""

import shutil
from pathlib import Path

from hythe_buildpack import procfile
from hythe_buildpack.command import run, was_killed
from hythe_buildpack.report import carry_out, detail, step, stop, warn

from hythe_node.manager import choose
from hythe_node.modules import Modules
from hythe_node.package import Package
from hythe_node.runtime import Runtime

OUTPUTS = ("dist", "build", "out", "public")  # where a build leaves a site without a server


def main(app: Path, layers: Path) -> int:
    return carry_out(build, app, layers)


def build(app: Path, layers: Path) -> None:
    step("Node.js app detected")
    package = Package.read(app)
    _drop_committed_modules(app)
    manager = choose(package)
    serves = not package.assets_only and _web(package) is not None
    runtime = Runtime(layers)
    node = runtime.install(package, manager, launch=serves)
    modules = Modules(layers, package, manager, runtime, node)
    _run_hook("heroku-prebuild", package, runtime)
    script = package.build_script
    if script:
        modules.for_build()
        _run(manager.run(script), app, runtime, script)
    if serves:
        modules.for_launch()
        _run_hook("heroku-cleanup", package, runtime)
        _declare_web(package, layers)
    else:
        _run_hook("heroku-cleanup", package, runtime)
        modules.drop()
        _require_output(package)


def _drop_committed_modules(app: Path) -> None:
    committed = app / "node_modules"
    if committed.exists() or committed.is_symlink():
        warn("node_modules/ is in the source; it is not used. Add it to .gitignore.")
        shutil.rmtree(committed) if committed.is_dir() and not committed.is_symlink() else (
            committed.unlink()
        )


def _run_hook(script: str, package: Package, runtime: Runtime) -> None:
    """A script around the installation; by npm, since yarn and pnpm want an installation first."""
    if script in package.scripts:
        _run(["npm", "run", script], package.app, runtime, script)


def _run(command: list[str], app: Path, runtime: Runtime, script: str) -> None:
    step(f"Running the script `{script}`")
    env = {**runtime.env, "NODE_ENV": "production"}
    code, output = run(command, cwd=app, env=env)
    if code == 0:
        return
    if was_killed(code, output):
        stop(
            f"The script `{script}` needs more memory than a build may use.",
            "Let the operator raise HYTHE_BUILD_MEMORY, or make the build need less.",
        )
    stop(
        f"The script `{script}` of package.json failed with exit code {code}.",
        f"Its lines are above; `{' '.join(command)}` must work in a fresh clone.",
    )


def _web(package: Package) -> str | None:
    """The command that serves the app; None where nothing in it does."""
    if _procfile_has_web(package.app) or "start" in package.scripts:
        return "npm start"
    return "node server.js" if (package.app / "server.js").is_file() else None


def _procfile_has_web(app: Path) -> bool:
    file = app / "Procfile"
    return file.is_file() and "web" in procfile.declared(file.read_text(errors="replace"))


def _declare_web(package: Package, layers: Path) -> None:
    if _procfile_has_web(package.app):
        return
    line = str(_web(package))
    step("No web process declared in a Procfile")
    detail(line)
    words = ", ".join(f'"{word}"' for word in line.split())
    process = f'[[processes]]\ntype = "web"\ncommand = [{words}]\ndefault = true\n'
    (layers / "launch.toml").write_text(process)


def _require_output(package: Package) -> None:
    """What a build made is served by a later buildpack; it must have made something."""
    if package.assets_only or (package.app / "index.html").is_file():
        return
    if not any((package.app / name / "index.html").is_file() for name in OUTPUTS):
        stop(
            "package.json has no `start` script, there is no server.js and no Procfile, and the"
            " build made no index.html: nothing to serve.",
            'Add to the scripts of package.json: "start": "node index.js".',
        )
