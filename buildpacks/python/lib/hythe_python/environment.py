"""The app's virtual environment, in a layer of its own; an unchanged lock reuses it untouched."""

import os
import re
from pathlib import Path

from hythe_buildpack.command import last_line, run
from hythe_buildpack.layer import Layer
from hythe_buildpack.report import detail, step, stop

from hythe_python import bytecode
from hythe_python.dependencies import Dependencies
from hythe_python.explain import explain
from hythe_python.interpreter import Interpreter
from hythe_python.lock import Lock

_NOISE = re.compile(
    r"^(Using (CPython|Python)|Creating virtual environment|Activate with| [+~-] |Audited)"
)


class Environment:
    """The layers `venv` (launch) and `uv` (its download cache)."""

    def __init__(self, layers: Path, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self.layer = Layer(layers / "venv")
        self.server = layers / "server"  # see server.py
        self._cache = Layer(layers / "uv")

    @property
    def python(self) -> Path:
        return self.layer.folder / "bin" / "python"

    @property
    def packages(self) -> Path:
        return self.layer.folder / "lib" / f"python{self.interpreter.minor}" / "site-packages"

    @property
    def variables(self) -> dict[str, str]:
        """What the app's own programs get during the build."""
        path = f"{self.layer.folder / 'bin'}:{os.environ.get('PATH', '/usr/bin:/bin')}"
        return {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}

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
        code, output = self.uv(
            "venv", "--quiet", "--allow-existing", "--python", str(self.interpreter.program),
            str(self.layer.folder),
        )  # fmt: skip
        if code != 0:
            stop(
                f"Python {self.interpreter.version} does not start: {last_line(output)}",
                "Ask for the stack's own Python, and report this.",
            )
        if wanted.file == "uv.lock":
            options = [] if wanted.project else ["--no-install-project"]
            self._install(app, wanted, "sync", "--locked", "--no-default-groups", *options)
        elif wanted.file == "requirements.txt":
            self._install(app, wanted, "pip", "install", "-r", "requirements.txt")
        elif wanted.file == "poetry.lock":
            from hythe_python import poetry  # late, as what loads `packaging` or much else

            self._install_lock(app, wanted, poetry.read(app, self.interpreter.version))
        elif wanted.file == "Pipfile.lock":
            from hythe_python import pipenv

            self._install_lock(app, wanted, pipenv.read(app))
        # What a server layer holds can be imported, after everything that the app itself asks for.
        (self.packages / "hythe_server.pth").write_text(f"{self.server}\n")
        bytecode.compile_with(self.interpreter.program, self.packages)

    def _install_lock(self, app: Path, wanted: Dependencies, lock: Lock) -> None:
        import tempfile

        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(lock.requirements)
            file.flush()
            self._install(app, wanted, "pip", "install", *lock.options, "-r", file.name)
        if wanted.project:
            self._install(app, wanted, "pip", "install", "--no-deps", "-e", ".")

    def _install(self, app: Path, wanted: Dependencies, *arguments: str) -> None:
        code, output = self.uv(*arguments, app=app)
        if code != 0:
            stop(*explain(str(wanted.file), code, output))

    def uv(self, *arguments: str, app: Path | None = None) -> tuple[int, str]:
        """Run uv, print what it says but noise, and return its exit code and output."""
        python = self.python if self.python.exists() else self.interpreter.program
        env = {
            "UV_CACHE_DIR": str(self._cache.folder),
            "UV_PROJECT_ENVIRONMENT": str(self.layer.folder),
            "UV_PYTHON": str(python),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_NO_PROGRESS": "1",
            "VIRTUAL_ENV": str(self.layer.folder),
        }
        return run(["uv", *arguments], cwd=app, env=env, noise=_NOISE)

    def _count(self) -> int:
        return len(list(self.packages.glob("*.dist-info")))
