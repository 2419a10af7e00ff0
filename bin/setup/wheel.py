"""Hatch's build hook: the built dashboard goes into the wheel; there is none without it."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class DashboardHook(BuildHookInterface):  # type: ignore[type-arg]
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":  # that one reads web/dist where it lies
            return
        built = Path(self.root) / "web" / "dist"
        if not (built / "index.html").exists():
            raise SystemExit(
                " !     The dashboard is not built: web/dist is missing.\n"
                " !     Build it first: cd web && npm ci && npm run build (or bin/up)."
            )
        build_data["force_include"][str(built)] = "hythe/_share/web"
