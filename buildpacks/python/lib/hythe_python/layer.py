"""A layer of this buildpack: a folder, and the TOML file beside it."""

import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layer:
    folder: Path

    @property
    def _file(self) -> Path:
        return self.folder.with_name(self.folder.name + ".toml")

    def key(self) -> str | None:
        """The key of the restored contents; None when there are none."""
        if not self.folder.is_dir() or not self._file.is_file():
            return None
        key = tomllib.loads(self._file.read_text()).get("metadata", {}).get("key")
        return str(key) if key else None

    def clear(self) -> None:
        if self.folder.is_dir():
            shutil.rmtree(self.folder)
        self.folder.mkdir()

    def declare(self, key: str, *, launch: bool) -> None:
        """Every layer of this buildpack is cached; launch ones go into the image."""
        types = f"cache = true\nlaunch = {str(launch).lower()}\n"
        self._file.write_text(f'[types]\n{types}\n[metadata]\nkey = "{key}"\n')
