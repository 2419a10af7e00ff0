"""The folders of one build on the host: HYTHE_HOME/builds/ID/.

app/        the source, a copy of its own: buildpacks may write there
layers/     what buildpacks make; restored layers are moved here from the cache
platform/   env/KEY: the config that the build may see
buildpacks/ copies of chosen buildpacks; Hythe's own are mounted from where they are
scratch/    plans that pass between the lifecycle and buildpacks
home/, tmp/ the user's home and the temporary files; with the folders above all that can be written
outcome.json  what the build's process hands back; not mounted
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hythe.errors import PlatformError
from hythe.settings import Settings

COPY_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folders of one build."""

    folder: Path

    @classmethod
    def of(cls, settings: Settings, build_id: int) -> "Workspace":
        return cls(settings.home / "builds" / str(build_id))

    @property
    def app(self) -> Path:
        return self.folder / "app"

    @property
    def layers(self) -> Path:
        return self.folder / "layers"

    @property
    def platform(self) -> Path:
        return self.folder / "platform"

    @property
    def scratch(self) -> Path:
        return self.folder / "scratch"

    @property
    def buildpacks(self) -> Path:
        return self.folder / "buildpacks"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def outcome(self) -> Path:
        return self.folder / "outcome.json"

    def lay_out(self, uid: int) -> None:
        """Make the folders, empty. A container may mount them from then on."""
        (self.platform / "env").mkdir(parents=True)
        writable = (self.app, self.scratch, self.home)
        for folder in (*writable, self.layers, self.buildpacks, self.temporary):
            folder.mkdir(mode=0o755)
        for folder in (self.app, self.scratch, self.home):
            give(folder, uid)
        self.temporary.chmod(0o1777)

    def write_env(self, env: Mapping[str, str], uid: int) -> None:
        """env becomes the platform's env files."""
        for key, value in env.items():
            file = self.platform / "env" / key
            file.touch(mode=0o400)
            file.write_bytes(value.encode(errors="surrogateescape"))
            give(file, uid)

    def copy_source(self, source: Path, uid: int) -> None:
        """Copy the source to app/ (a reflink where the file system has them) and give it to uid."""
        command = ["cp", "-a", "--reflink=auto", "--", f"{source}/.", str(self.app)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=COPY_SECONDS)
        if done.returncode != 0:
            raise PlatformError(
                f"The source cannot be copied: {done.stderr.strip()[:200]}", "Is the disk full?"
            )
        give_tree(self.app, uid)

    def replace(self, name: str, text: str, uid: int) -> None:
        """Give a file at the root of app/ this text, whatever was there."""
        file = self.app / name
        if file.is_dir() and not file.is_symlink():
            shutil.rmtree(file)
        file.unlink(missing_ok=True)
        file.write_text(text)
        give(file, uid)

    def remove(self) -> None:
        """Delete everything; absent is not an error."""
        shutil.rmtree(self.folder, ignore_errors=True)


def give_tree(root: Path, uid: int) -> None:
    """Make a folder and all that is in it the build user's."""
    for folder, folders, files in os.walk(root):
        give(Path(folder), uid)
        for name in files + [name for name in folders if Path(folder, name).is_symlink()]:
            give(Path(folder, name), uid)


def give(path: Path, uid: int) -> None:
    """Make a file the build user's, when we are allowed to."""
    if os.geteuid() == 0:
        os.lchown(path, uid, uid)
