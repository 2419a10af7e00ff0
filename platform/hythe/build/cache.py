"""An app's build cache: the layers that one build leaves for the next.

HYTHE_HOME/cache/APP_ID/
  layers/       the cached layers of every buildpack, as the next build gets them
  launch/       launch layers of the last image that are not cached: the next build gets their
                metadata, and may take a layer again without making it
  exported.json what the last export wrote (export.py)
  prints.json   the fingerprints of the cached layers, as far as they are known
  lent.json     while a build has them: where they are, and what they were like
  suite         the suite that the layers are for: another one's builds start without them

The layers are moved into a build, not copied, and moved back when it succeeded. After a failed
or killed build only those come back that are provably unchanged: their fingerprint was taken
before the build ran anything, and kept where a build cannot write.
"""

import hashlib
import json
import marshal
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Mapping
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
        prints = _read(self._prints).get("layers", {})
        _write(self._note, {"layers": str(layers), "prints": prints})
        self._prints.unlink(missing_ok=True)
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

    def remember(self, layers: Path) -> None:
        """Note what the lent layers are like; call it before the build runs anything.

        Only those are read whose fingerprint is not known since they were kept.
        """
        prints = _read(self._note).get("prints", {})
        known = {
            name: {
                "fingerprint": prints.get(name) or fingerprint(folder),
                "toml": _text(folder.with_name(folder.name + ".toml")),
            }
            for name, folder in _layer_folders(layers).items()
        }
        stores = {file.parent.name: _text(file) for file in layers.glob("*/store.toml")}
        _write(self._note, {"layers": str(layers), "known": known, "stores": stores})

    def look(self) -> None:
        """Learn the fingerprints of what is kept, while nothing waits: `remember` is fast then.

        A build may take the layers at any time, from another process too. What was read until then
        is dropped: there is no prints.json in between, and another one after it.
        """
        before = _read(self._prints)
        if not before:
            return
        try:
            prints = {
                name: before["layers"].get(name) or fingerprint(folder)
                for name, folder in _layer_folders(self.layers).items()
            }
        except OSError:
            return
        if _read(self._prints) == before:
            _write(self._prints, before | {"layers": prints})

    @property
    def launch(self) -> Path:
        return self.folder / "launch"

    @property
    def exported(self) -> Path:
        """What the last export knew of the layers it wrote: see export.py."""
        return self.folder / "exported.json"

    @property
    def _prints(self) -> Path:
        return self.folder / "prints.json"

    def keep(
        self,
        layers: Path,
        made: Iterable[tuple[str, Layer]],
        prints: Mapping[str, str] | None = None,
    ) -> None:
        """Take the layers of a build that succeeded; `made`: (buildpack's folder, layer).

        prints: fingerprints that were taken since the build was frozen, by "BUILDPACK/LAYER".
        """
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
        _write(self._prints, {"id": secrets.token_hex(8), "layers": dict(prints or {})})
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
        note = _read(self._note)
        if not note:
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


def fingerprint(folder: Path) -> str:
    """A digest that changes when anything in the folder does.

    It covers every path with its size, times and mode. ctime is in it, since mtime can be put back;
    that of the folder itself is not, since moving the folder changes it.
    """
    sha = hashlib.blake2b(digest_size=20)
    sha.update(b"%o" % folder.lstat().st_mode)
    _digest_tree(os.open(folder, _FOLDER), sha)
    return sha.hexdigest()


_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def _digest_tree(folder: int, sha: "hashlib.blake2b") -> None:
    """Digest what an open folder holds, and close it. Every push waits for this: 5 us an entry."""
    facts: list[tuple[str | int, ...]] = []
    inner: list[str] = []
    try:
        for name in sorted(os.listdir(folder)):
            s = os.stat(name, dir_fd=folder, follow_symlinks=False)
            facts.append((name, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_mode, s.st_ino))
            if stat.S_ISDIR(s.st_mode):
                inner.append(name)
        sha.update(marshal.dumps(facts, 2))  # the last version that writes equal values equally
        for name in inner:
            _digest_tree(os.open(name, _FOLDER, dir_fd=folder), sha)
    finally:
        os.close(folder)


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


def _layer_folders(layers: Path) -> dict[str, Path]:
    """The folder of each layer, by "BUILDPACK/LAYER"."""
    return {
        f"{owner.name}/{entry.name}": entry
        for owner in sorted(layers.iterdir())
        if owner.is_dir() and not owner.is_symlink()
        for entry in sorted(owner.iterdir())
        if entry.is_dir() and not entry.is_symlink()
    }


def _read(file: Path) -> dict[str, Any]:
    """A file of JSON that was written whole; {} for one that is not there."""
    try:
        document: dict[str, Any] = json.loads(file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return document


def _write(file: Path, document: dict[str, Any]) -> None:
    temporary = file.with_suffix(".new")
    temporary.write_text(json.dumps(document))
    temporary.rename(file)


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
