"""What package.json says."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hythe_buildpack.report import stop

# Scripts that npm runs while it installs: they may read any file of the app.
INSTALL_SCRIPTS = ("preinstall", "install", "postinstall", "prepare", "heroku-prebuild")
# What says that the app is a Python app, and what says so only where Node serves nothing.
PYTHON = ("requirements.txt", "uv.lock", "poetry.lock", "Pipfile.lock", "manage.py")
MAYBE_PYTHON = ("pyproject.toml", "app.py", "main.py", "wsgi.py", "asgi.py", "application.py")


@dataclass(frozen=True)
class Package:
    """The app's package.json, and where it lies."""

    app: Path
    document: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, app: Path) -> "Package":
        try:
            document = json.loads((app / "package.json").read_text("utf-8-sig"))
        except UnicodeDecodeError:
            stop("package.json is not UTF-8.", "Save package.json as UTF-8.")
        except json.JSONDecodeError as error:
            stop(
                f"package.json is not valid JSON: {error.msg} in line {error.lineno}.",
                "Correct package.json.",
            )
        if not isinstance(document, dict):
            stop("package.json is not a JSON object.", "Make one with `npm init`.")
        return cls(app, document)

    def _table(self, key: str) -> dict[str, Any]:
        value = self.document.get(key)
        return value if isinstance(value, dict) else {}

    @property
    def scripts(self) -> dict[str, str]:
        return {k: v for k, v in self._table("scripts").items() if isinstance(v, str)}

    @property
    def build_script(self) -> str | None:
        """The script that makes what is served; Heroku's name for it wins."""
        return next((n for n in ("heroku-postbuild", "build") if n in self.scripts), None)

    @property
    def assets_only(self) -> bool:
        """Whether another language serves, and Node only builds for it."""
        serves = "start" in self.scripts or (self.app / "server.js").is_file()
        names = PYTHON if serves else PYTHON + MAYBE_PYTHON
        return any((self.app / name).is_file() for name in names)

    @property
    def in_place(self) -> bool:
        """Whether an installation needs the app's own files: workspaces, or scripts of it."""
        local = re.compile(r"(file|link|portal|workspace):")
        names = ("dependencies", "devDependencies", "optionalDependencies")
        uses_files = any(
            isinstance(wanted, str) and local.match(wanted)
            for name in names
            for wanted in self._table(name).values()
        )
        runs = any(name in self.scripts for name in INSTALL_SCRIPTS)
        several = "workspaces" in self.document or (self.app / "pnpm-workspace.yaml").is_file()
        return uses_files or runs or several

    @property
    def node_range(self) -> tuple[str, str] | None:
        """The versions of Node that the app asks for, and where it says so."""
        engines = self._table("engines").get("node")
        if isinstance(engines, str) and engines.strip():
            return engines.strip(), "engines.node in package.json"
        for name in (".nvmrc", ".node-version"):
            file = self.app / name
            if file.is_file() and (text := file.read_text(errors="replace").strip()):
                return text.removeprefix("v"), name
        return None

    @property
    def manager_version(self) -> tuple[str, str] | None:
        """(name, version) of packageManager, such as ("pnpm", "9.1.0")."""
        found = re.match(
            r"(npm|yarn|pnpm)@(\d[\w.-]*)", str(self.document.get("packageManager", ""))
        )
        return (found[1], found[2]) if found else None
