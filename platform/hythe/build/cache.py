"""An app's build cache: the layers that one build leaves for the next.

HYTHE_HOME/cache/APP_ID/
  layers/       the cached layers of every buildpack, as the next build gets them
  launch/       launch layers of the last image that are not cached: the next build gets their
                metadata, and may take a layer again without making it
  exported.json what the last export wrote (export.py)
  lent.json     while a build has them: where they are, and what they were like
  suite         the suite that the layers are for: another one's builds start without them

The layers are moved into a build, not copied, and moved back when it succeeded. After a failed
or killed build only those come back that are provably unchanged: their fingerprint was taken
before the build ran anything, and kept where a build cannot write.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from hythe.build.container import build_uid
from hythe.build.layers import Layer
from hythe.build.workspace import give
from hythe.settings import Settings
from hythe.suite import DEFAULT, Suite


@dataclass(frozen=True, slots=True)
class Cache:
    """The cache of one app. Only one build of an app runs at a time."""

    folder: Path

    @classmethod
    def of(cls, settings: Settings, app_id: int) -> "Cache":
        return cls(settings.home / "cache" / str(app_id))

    @property
    def layers(self) -> Path:
        return self.folder / "layers"

    @property
    def _note(self) -> Path:
        return self.folder / "lent.json"

    def lend(self, layers: Path, suite: Suite = DEFAULT) -> bool:
        """Move the cached layers into `layers`, which is empty; a container may have mounted it.

        Returns whether there was a cache.
        """
        self.recover()
        if self.suite != suite.name:
            self.remove()
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "suite").write_text(suite.name)
        self._write_note({"layers": str(layers)})
        found = self.layers.is_dir()
        if found:
            _move_entries(self.layers, layers)
            self.layers.rmdir()
        self._tell_of_launch_layers(layers)
        return found

    @property
    def suite(self) -> str:
        try:
            return (self.folder / "suite").read_text()
        except FileNotFoundError:  # of a time when there was one
            return DEFAULT.name

    def remember(self, layers: Path) -> dict[str, str]:
        """Note what the lent layers are like; call it before the build runs anything.

        Returns the fingerprint of each: {"BUILDPACK/LAYER": digest}.
        """
        known = {
            f"{folder.parent.name}/{folder.name}": {
                "fingerprint": fingerprint(folder),
                "toml": _text(folder.with_name(folder.name + ".toml")),
            }
            for folder in _layer_folders(layers)
        }
        stores = {file.parent.name: _text(file) for file in layers.glob("*/store.toml")}
        self._write_note({"layers": str(layers), "known": known, "stores": stores})
        return {name: str(facts["fingerprint"]) for name, facts in known.items()}

    @property
    def launch(self) -> Path:
        return self.folder / "launch"

    @property
    def exported(self) -> Path:
        """What the last export knew of the layers it wrote: see export.py."""
        return self.folder / "exported.json"

    def keep(self, layers: Path, made: Iterable[tuple[str, Layer]]) -> None:
        """Take the layers of a build that succeeded; `made`: (buildpack's folder, layer)."""
        made = list(made)
        self._keep_launch([each for each in made if each[1].launch])
        cached = {(owner, layer.name): layer for owner, layer in made if layer.cache}
        for owner in (entry for entry in layers.iterdir() if entry.is_dir()):
            for entry in list(owner.iterdir()):
                name = entry.name.removesuffix(".toml")
                if (owner.name, name) not in cached and name != "store":
                    _delete(entry)
        for (owner_name, name), layer in cached.items():
            _write_metadata(layers / owner_name / f"{name}.toml", layer)
        _delete(self.layers)
        layers.rename(self.layers)
        self._note.unlink(missing_ok=True)

    def _keep_launch(self, made: Iterable[tuple[str, Layer]]) -> None:
        """Launch layers that nothing else keeps; those with `build` are always made anew."""
        fresh = self.launch.with_suffix(".new")
        _delete(fresh)
        for owner, layer in made:
            if not (layer.cache or layer.build):
                (fresh / owner).mkdir(parents=True, exist_ok=True)
                layer.folder.rename(fresh / owner / layer.name)
                _write_metadata(fresh / owner / f"{layer.name}.toml", layer)
        _delete(self.launch)
        if fresh.is_dir():
            fresh.rename(self.launch)

    def _tell_of_launch_layers(self, layers: Path) -> None:
        """Give a build the metadata, without types, of the last image's launch layers.

        Metadata without contents is told of those only: a build that never ran may have left other.
        """
        for file in layers.glob("*/*.toml"):
            if file.stem != "store" and not file.with_suffix("").is_dir():
                file.unlink()
        for file in self.launch.glob("*/*.toml"):
            owner = layers / file.parent.name
            if not owner.is_dir():
                owner.mkdir()
                give(owner, build_uid())
            (owner / file.name).unlink(missing_ok=True)  # nor write through it
            (owner / file.name).write_text(file.read_text())
            (owner / file.name).chmod(0o666)

    def recover(self, lent_to: Path | None = None) -> None:
        """Take back what a build that failed or vanished left unchanged.

        lent_to: only if that build's folder has the layers; by now another build may have them.
        """
        try:
            note = json.loads(self._note.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return
        layers = Path(note["layers"])
        if lent_to not in (None, layers):
            return
        if layers.is_dir():
            if "known" in note:
                self._take_unchanged(layers, note["known"])
                self._put_back_stores(note.get("stores", {}))
            else:  # the build had not run anything yet
                self.layers.mkdir(mode=0o755, exist_ok=True)
                _move_entries(layers, self.layers)
        self._note.unlink()

    def remove(self) -> None:
        """Delete all of it; absent is not an error."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _take_unchanged(self, layers: Path, known: dict[str, dict[str, str]]) -> None:
        for name, facts in known.items():
            folder = layers / name
            home = self.layers / name
            if folder.is_symlink() or not folder.is_dir() or home.exists():
                continue
            if fingerprint(folder) == facts["fingerprint"]:
                home.parent.mkdir(parents=True, exist_ok=True)
                _same_owner(folder.parent, home.parent)
                folder.rename(home)
                home.with_name(home.name + ".toml").write_text(facts["toml"])
                home.with_name(home.name + ".toml").chmod(0o666)

    def _put_back_stores(self, stores: dict[str, str]) -> None:
        for owner, text in stores.items():
            write_store(self.layers / owner, text)

    def _write_note(self, note: dict[str, Any]) -> None:
        temporary = self._note.with_suffix(".new")
        temporary.write_text(json.dumps(note))
        temporary.rename(self._note)


def fingerprint(folder: Path) -> str:
    """A digest that changes when anything in the folder does.

    It covers every path with its size, times and mode. ctime is in it, since mtime can be put back;
    that of the folder itself is not, since moving the folder changes it.
    """
    sha = hashlib.blake2b(digest_size=20)
    sha.update(b"%o" % folder.lstat().st_mode)
    _digest_tree(os.fsencode(folder), b"", sha)
    return sha.hexdigest()


def _digest_tree(folder: bytes, name: bytes, sha: "hashlib.blake2b") -> None:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        s = entry.stat(follow_symlinks=False)
        path = name + b"/" + entry.name
        facts = (s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_mode, s.st_ino)
        sha.update(b"%b\0%d %d %d %o %d\0" % (path, *facts))
        if entry.is_dir(follow_symlinks=False):
            _digest_tree(entry.path, path, sha)


def write_store(folder: Path, text: str) -> None:
    """Give a buildpack's folder of layers this store.toml, unless it has one."""
    file = folder / "store.toml"
    if not folder.is_dir():
        folder.mkdir(parents=True)
        give(folder, build_uid())
    if not file.exists():
        file.write_text(text)
        file.chmod(0o666)


def _write_metadata(file: Path, layer: Layer) -> None:
    file.unlink(missing_ok=True)  # never write through what a build left there
    file.write_text(tomli_w.dumps({"metadata": dict(layer.metadata)}))
    file.chmod(0o666)


def _layer_folders(layers: Path) -> list[Path]:
    return [
        entry
        for owner in sorted(layers.iterdir())
        if owner.is_dir() and not owner.is_symlink()
        for entry in sorted(owner.iterdir())
        if entry.is_dir() and not entry.is_symlink()
    ]


def _move_entries(folder: Path, to: Path) -> None:
    for entry in list(folder.iterdir()):
        entry.rename(to / entry.name)


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except FileNotFoundError:
        return ""


def _same_owner(of: Path, to: Path) -> None:
    status = of.stat()
    os.chown(to, status.st_uid, status.st_gid)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
