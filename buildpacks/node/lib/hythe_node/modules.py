"""The app's node_modules, in layers of their own; an unchanged lock reuses them untouched.

`modules` holds what the app needs while it runs, `dev` all that its build script needs. The app
gets a link to one of them. Where an installation needs the app's own files (workspaces, install
scripts), node_modules lies in the app, and every build installs it again from the download cache.
"""

import hashlib
import re
import shutil
from pathlib import Path

from hythe_buildpack.command import run
from hythe_buildpack.layer import Layer
from hythe_buildpack.report import detail, step, stop, warn

from hythe_node.manager import Manager
from hythe_node.package import Package
from hythe_node.runtime import Runtime

FORMAT = "1"  # of the layers; part of their keys
# What an installation reads, besides the lockfile.
FILES = ("package.json", ".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs")
FOLDERS = (".yarn", "patches")
_NOISE = re.compile(r"^(npm (warn|notice)|Progress: |➤ YN0000|warning |Scope: |Lockfile is up)")


class Modules:
    def __init__(
        self, layers: Path, package: Package, manager: Manager, runtime: Runtime, node: str
    ) -> None:
        self._layers, self._package, self._manager = layers, package, manager
        self._runtime = runtime
        self._link = package.app / "node_modules"
        self._key = self._digest(node)

    def for_build(self) -> None:
        """All dependencies, for the build script."""
        if self._package.in_place:
            self._run(self._package.app, production=False)
        else:
            self._use(Layer(self._layers / "dev"), production=False, launch=False)

    def for_launch(self) -> None:
        """Only what runs in production."""
        if self._package.in_place:
            self._run(self._package.app, production=True)
        else:
            self._use(Layer(self._layers / "modules"), production=True, launch=True)

    def drop(self) -> None:
        """Leave none: another language serves what was built."""
        if self._link.is_symlink():
            self._link.unlink()
        elif self._link.is_dir():
            shutil.rmtree(self._link)

    def _use(self, layer: Layer, *, production: bool, launch: bool) -> None:
        if self._link.is_symlink():
            self._link.unlink()
        if layer.key() == self._key:
            what = "production dependencies" if production else "dependencies"
            detail(f"{self._manager.lock or 'package.json'} unchanged, reusing the {what}")
        else:
            layer.clear()
            self._copy_declarations(layer.folder)
            self._run(layer.folder, production=production)
        (layer.folder / "node_modules").mkdir(exist_ok=True)
        self._link.symlink_to(layer.folder / "node_modules")
        layer.declare(self._key, launch=launch)

    def _copy_declarations(self, to: Path) -> None:
        app = self._package.app
        for name in (*FILES, *filter(None, [self._manager.lock])):
            if (app / name).is_file():
                shutil.copy2(app / name, to / name)
        for name in FOLDERS:
            if (app / name).is_dir():
                shutil.copytree(app / name, to / name, symlinks=True)

    def _run(self, folder: Path, *, production: bool) -> None:
        if self._manager.lock is None:
            warn("There is no lockfile: what is installed may change from one build to the next.")
            warn("Run `npm install` and commit package-lock.json.")
        which = "production dependencies" if production else "dependencies"
        step(f"Installing {which} with {self._manager.name}")
        env = {**self._runtime.env, "NODE_ENV": "production" if production else "development"}
        command = self._manager.install(production=production)
        code, output = run(command, cwd=folder, env=env, noise=_NOISE)
        if code != 0:
            stop(*explain(self._manager, code, output))
        count = sum(1 for _ in _packages(folder / "node_modules"))
        detail(f"{count} package{'' if count == 1 else 's'}")

    def _digest(self, node: str) -> str:
        sha = hashlib.sha256(f"{FORMAT} {node} {self._manager}".encode())
        app = self._package.app
        names = [*FILES, *filter(None, [self._manager.lock])]
        files = [app / name for name in names if (app / name).is_file()]
        for folder in FOLDERS:
            files += sorted(f for f in (app / folder).rglob("*") if f.is_file())
        for file in files:
            sha.update(str(file.relative_to(app)).encode() + b"\0")
            sha.update(hashlib.sha256(file.read_bytes()).digest())
        return sha.hexdigest()


def _packages(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found: list[Path] = []
    for entry in folder.iterdir():
        if entry.name.startswith("@"):
            found += [inner for inner in entry.iterdir() if inner.is_dir()]
        elif not entry.name.startswith(".") and entry.is_dir():
            found.append(entry)
    return found


def explain(manager: Manager, code: int, output: str) -> tuple[str, str]:
    """The cause and the fix of an installation that failed, from what the manager said."""
    lock = manager.lock or "package.json"
    if re.search(
        r"can only install packages when|in sync|ERR_PNPM_OUTDATED_LOCKFILE|needs to be updated"
        r"|YN0028|lockfile would have been modified",
        output,
    ):
        return (
            f"{lock} does not fit package.json.",
            f"Run `{manager.name} install` and commit {lock}.",
        )
    if conflict := re.search(r"Could not resolve dependency:\s*(?:npm \w+ )*(.+)", output):
        return (
            f"Packages ask for versions of each other that contradict: {conflict[1].strip()}.",
            "Change one of their versions in package.json, run `npm install`, commit both files.",
        )
    if missing := re.search(
        r"404[^\n]*?['\"/ ](@?[\w./-]+@[^\s'\"]+)['\"]? is not in"
        r"|The requested resource '([^']+)' could not be found"
        r"|No matching version found for (\S+)"
        r"|ERR_PNPM_FETCH_404.*?/([^\s/]+): Not Found|Couldn't find package \"?([^\s\"]+)",
        output,
    ):
        name = next(filter(None, missing.groups())).strip("'\".")
        return (
            f"{name} does not exist in the package registry.",
            f"Correct it in package.json, and run `{manager.name} install`.",
        )
    if re.search(r"ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|SELF_SIGNED|unable to get", output):
        return (
            f"Packages of {lock} could not be downloaded.",
            "Check this machine's network, and the control plane's NPM_CONFIG_REGISTRY.",
        )
    if code in (137, -9) or "heap out of memory" in output:
        return (
            "The installation needs more memory than a build may use.",
            "Let the operator raise HYTHE_BUILD_MEMORY.",
        )
    return (
        f"Installing the packages of {lock} failed: {manager.name} ended with exit code {code}.",
        f"Read the lines of {manager.name} above.",
    )
