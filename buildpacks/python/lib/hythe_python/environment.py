"""The app's virtual environment, in a layer of its own; an unchanged lock reuses it untouched."""

import re
import sys
from pathlib import Path

from hythe_buildpack.command import run
from hythe_buildpack.layer import Layer
from hythe_buildpack.report import detail, step, stop

from hythe_python import bytecode
from hythe_python.dependencies import Dependencies

STACK_PYTHON = "/usr/bin/python3"
_NOISE = re.compile(
    r"^(Using (CPython|Python)|Creating virtual environment|Activate with| [+~-] |Audited)"
)


class Environment:
    """The layers `venv` (launch) and `uv` (its download cache)."""

    def __init__(self, layers: Path) -> None:
        self.layer = Layer(layers / "venv")
        self.server = layers / "server"  # see server.py
        self._cache = Layer(layers / "uv")

    @property
    def python(self) -> Path:
        return self.layer.folder / "bin" / "python"

    @property
    def packages(self) -> Path:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.layer.folder / "lib" / version / "site-packages"

    def has(self, package: str) -> bool:
        """Whether a package can be imported, by the name of its folder."""
        return (self.packages / package).is_dir()

    def install(self, app: Path, wanted: Dependencies) -> None:
        """Make the environment what `wanted` says."""
        step("Installing dependencies with uv")
        if not wanted.file:
            detail("The app declares no dependencies")
        if self.layer.key() != wanted.key:
            self._make(app, wanted)
        elif wanted.file:
            detail(f"{wanted.described} unchanged, reusing {self._count()} packages")
        self._cache.folder.mkdir(exist_ok=True)
        self._cache.declare("uv", launch=False)
        self.layer.declare(wanted.key, launch=True)

    def _make(self, app: Path, wanted: Dependencies) -> None:
        self.layer.clear()
        self.uv(
            "venv", "--quiet", "--allow-existing", "--python", STACK_PYTHON, str(self.layer.folder)
        )
        if wanted.file == "uv.lock":
            options = [] if wanted.project else ["--no-install-project"]
            self._install(app, wanted, "sync", "--locked", "--no-default-groups", *options)
        elif wanted.file == "requirements.txt":
            self._install(app, wanted, "pip", "install", "-r", "requirements.txt")
        # What a server layer holds can be imported, after everything that the app itself asks for.
        (self.packages / "hythe_server.pth").write_text(f"{self.server}\n")
        bytecode.compile_tree(self.packages)

    def _install(self, app: Path, wanted: Dependencies, *arguments: str) -> None:
        code, output = self.uv(*arguments, app=app)
        if code != 0:
            stop(*explain(str(wanted.file), code, output))

    def uv(self, *arguments: str, app: Path | None = None) -> tuple[int, str]:
        """Run uv, print what it says but noise, and return its exit code and output."""
        env = {
            "UV_CACHE_DIR": str(self._cache.folder),
            "UV_PROJECT_ENVIRONMENT": str(self.layer.folder),
            "UV_PYTHON": str(self.python) if self.python.exists() else STACK_PYTHON,
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_NO_PROGRESS": "1",
            "VIRTUAL_ENV": str(self.layer.folder),
        }
        return run(["uv", *arguments], cwd=app, env=env, noise=_NOISE)

    def _count(self) -> int:
        return len(list(self.packages.glob("*.dist-info")))


def explain(file: str, code: int, output: str) -> tuple[str, str]:
    """The cause and the fix of an installation that failed, from what uv said."""
    text = " ".join(re.sub(r"[│├╰─▶\u00d7]+", " ", output).split())
    if missing := re.search(
        r"[Bb]ecause ([\w.\[\]-]+) was not found in the package registry", text
    ):
        name = missing[1]
        return (
            f"{file} names {name}, which no package index has.",
            f"Correct the name in {file}, or remove the line.",
        )
    if version := re.search(r"[Bb]ecause there is no version of (\S+)", text):
        return (
            f"{file} asks for {version[1]}, a version that does not exist.",
            f"Name a version that exists in {file}.",
        )
    if "needs to be updated" in text or ("lockfile" in text and "outdated" in text):
        return "uv.lock does not fit pyproject.toml.", "Run `uv lock` and commit uv.lock."
    if parse := re.search(r"[Cc]ouldn't parse requirement in `?([^`]+?)`? at position \d+", text):
        return (
            f"{file} has a line that is not a requirement ({parse[1]}).",
            f"Correct it in {file}.",
        )
    if "No solution found" in text:
        return (
            f"The requirements in {file} contradict each other.",
            "Read uv's lines above; loosen one.",
        )
    if re.search(r"[Ff]ailed to (fetch|download)|dns error|Connection|error sending request", text):
        return (
            f"Packages of {file} could not be downloaded.",
            "Check this machine's network, and the control plane's PIP_INDEX_URL and proxies.",
        )
    if failed := re.search(r"[Ff]ailed to build `([^`]+)`", text):
        return (
            f"{failed[1]} has no ready package for this Python and failed to compile.",
            f"Ask for a version in {file} that has a wheel, or use a Dockerfile.",
        )
    if "build backend returned an error" in text:
        return (
            f"A package of {file} could not be built.",
            "Read uv's lines above; ask for a version that has a wheel, or use a Dockerfile.",
        )
    return f"Installing {file} failed: uv ended with exit code {code}.", "Read uv's lines above."
