"""Export: the image of a build, assembled of layers that are written once.

A layer whose fingerprint is that of the last export is not read again, and what the engine has is
not sent. Equal files, layers and processes give an equal image id, with a cache or without.

The note of the last export, in the app's cache where no build can write:
{"image": ID, "layers": {"/layers/OWNER/NAME": {"fingerprint": ..., "diff_id": "sha256:..."}}}
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from hythe.build import metadata
from hythe.build.cache import Cache, fingerprint
from hythe.build.container import APP, LAYERS
from hythe.build.contents import app_tar, layer_tar, slice_tar, slices
from hythe.build.lifecycle import Built, Made
from hythe.build.stack import LAUNCHER, USER, Stack
from hythe.build.tarball import end
from hythe.build.workspace import Workspace
from hythe.engine.port import Engine, Image, ImageConfig, Layer
from hythe.errors import PlatformError


def configuration(
    built: Built, processes: Mapping[str, str], tree: str, labels: Mapping[str, str]
) -> ImageConfig:
    """How the image of a git tree runs by itself: its web process, or the default one."""
    kind = "web" if "web" in processes else built.launch.default
    line = processes.get(kind or "")
    return ImageConfig(
        env={"CNB_LAYERS_DIR": LAYERS, "CNB_APP_DIR": APP},
        entrypoint=(LAUNCHER,),
        command=(line,) if line else (),
        workdir=APP,
        user=USER,
        labels={
            **built.launch.labels,
            metadata.BUILD: metadata.of_build(built, processes),
            metadata.PROJECT: metadata.of_project(tree),
            **labels,
        },
    )


Content = Callable[[], Iterator[bytes]]  # the bytes of a layer's tar, the same each time


@dataclass(slots=True)
class _Tar:
    """A layer on its way: its digest, and its file once it was written."""

    content: Content
    file: Path
    diff_id: str = ""
    written: bool = False

    def write(self) -> "_Tar":
        """Write the file; raises PlatformError when it is not what it was before."""
        sha = hashlib.sha256()
        with self.file.open("wb") as file:
            for piece in self.content():
                sha.update(piece)
                file.write(piece)
        diff_id = f"sha256:{sha.hexdigest()}"
        if self.diff_id not in ("", diff_id):
            raise PlatformError("A layer changed while it was exported.", "Deploy again.")
        self.diff_id, self.written = diff_id, True
        return self


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export made, and the fingerprints of the launch layers: {"OWNER/NAME": digest}."""

    image: Image
    prints: dict[str, str]


@dataclass(slots=True)
class Export:
    """One export; its tars lie in the build's own folder."""

    engine: Engine
    cache: Cache
    workspace: Workspace
    say: Callable[[str], None]  # is told of what takes longer

    def run(self, stack: Stack, built: Built, reference: str, config: ImageConfig) -> Exported:
        """The app's image under the reference."""
        self._folder.mkdir(exist_ok=True)
        note = self._read_note()
        prints = {made: fingerprint(made.layer.folder) for made in built.launch_layers()}
        known = {made: self._launch(made, note, prints[made]) for made in prints}
        app = list(self._app(built))
        tars = [*known.values(), *app]
        base = self.engine.images.find(stack.run_id)
        if base is None:
            raise PlatformError("The run image is gone.", "Deploy again: it is made anew.")
        there = self._there(note, [*base.layers, *(tar.diff_id for tar in tars)])
        layers = [
            Layer(tar.diff_id, None if number < there else self._file(tar))
            for number, tar in enumerate(tars, start=len(base.layers))
        ]
        shas = {made: tar.diff_id for made, tar in known.items()}
        config = metadata.with_lifecycle(config, built, base, shas, [each.diff_id for each in app])
        image = self.engine.images.assemble(stack.run_id, layers, reference, config)
        self._write_note(image, prints, known)
        taken = {f"{made.owner}/{made.layer.name}": taken for made, taken in prints.items()}
        return Exported(image, taken)

    @property
    def _folder(self) -> Path:
        return self.workspace.folder / "export"

    def _launch(self, made: Made, note: Mapping[str, Any], now: str) -> _Tar:
        """A launch layer: only read when it is not that of the last export."""
        name = f"{made.owner}.{made.layer.name}"
        tar = _Tar(lambda: _ended(layer_tar(made)), self._folder / f"{name}.tar")
        before = note.get("layers", {}).get(made.path)
        if before is not None and before["fingerprint"] == now:
            tar.diff_id = before["diff_id"]
            return tar
        self.say(f"Writing the layer {made.owner}/{made.layer.name}")
        return tar.write()

    def _app(self, built: Built) -> Iterator[_Tar]:
        parts = slices(built, self.workspace)
        contents: list[Content] = [partial(_ended_slice, self.workspace, paths) for paths in parts]
        contents.append(lambda: app_tar(built, self.workspace, parts))
        for number, content in enumerate(contents):
            yield _Tar(content, self._folder / f"app{number}.tar").write()

    def _there(self, note: Mapping[str, Any], ids: Sequence[str]) -> int:
        """How many of the leading layers the engine has, by the image of the last export."""
        last = self.engine.images.find(note["image"]) if "image" in note else None
        pairs = zip(ids, last.layers if last else (), strict=False)
        return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))

    def _file(self, tar: _Tar) -> Path:
        return tar.file if tar.written else tar.write().file

    def _read_note(self) -> dict[str, Any]:
        try:
            note: dict[str, Any] = json.loads(self.cache.exported.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return note

    def _write_note(
        self, image: Image, prints: Mapping[Made, str], tars: Mapping[Made, _Tar]
    ) -> None:
        layers = {
            made.path: {"fingerprint": prints[made], "diff_id": tars[made].diff_id}
            for made in prints
        }
        temporary = self.cache.exported.with_suffix(".new")
        temporary.write_text(json.dumps({"image": image.id, "layers": layers}))
        temporary.rename(self.cache.exported)


def _ended(content: Iterator[bytes]) -> Iterator[bytes]:
    yield from content
    yield end()


def _ended_slice(workspace: Workspace, paths: frozenset[str]) -> Iterator[bytes]:
    return _ended(slice_tar(workspace, paths))
