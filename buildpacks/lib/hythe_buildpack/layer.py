"""A layer of a buildpack: a folder, and the TOML file beside it."""

import hashlib
import shutil
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

FORMAT = "1"  # of the layers; part of their keys
WEEK = 7 * 24 * 3600


def week_key(*parts: str) -> str:
    """A key that changes every week too, so that security updates come in."""
    text = " ".join((FORMAT, str(int(time.time()) // WEEK), *parts))
    return hashlib.sha256(text.encode()).hexdigest()


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

    def declare(self, key: str, *, launch: bool, build: bool = False) -> None:
        """Every layer of ours is cached; launch goes into the image, build to later buildpacks."""
        flags = f"cache = true\nlaunch = {str(launch).lower()}\nbuild = {str(build).lower()}\n"
        self._file.write_text(f'[types]\n{flags}\n[metadata]\nkey = "{key}"\n')

    def env(self, folder: str, name: str, value: str) -> None:
        """Write an env file, such as ("env", "NODE_ENV.default", "production").

        One that says so already is left alone: a layer that was touched is exported anew.
        """
        file = self.folder / folder / name
        if not file.is_file() or file.read_text() != value:
            file.parent.mkdir(exist_ok=True)
            file.write_text(value)
