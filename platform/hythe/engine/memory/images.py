"""Images of the memory engine: configuration and names, no files."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hythe.engine.memory.world import World
from hythe.engine.port import Image, ImageConfig, Layer, Limits, Login
from hythe.errors import BuildError, EngineError, ImageMissing, RegistryAway


class MemoryImages:
    def __init__(self, world: World) -> None:
        self._world = world

    def find(self, ref: str) -> Image | None:
        with self._world.call("find"):
            return self._world.image(ref)

    def pull(
        self, ref: str, login: Login | None = None, say: Callable[[str], None] = lambda _: None
    ) -> Image:
        with self._world.call("pull"):
            raise ImageMissing(f"There is no registry, and no {ref}.")

    def check_login(self, host: str, login: Login) -> None:
        with self._world.call("check_login"):
            raise RegistryAway(f"There is no registry, so no {host}.")

    def load_root(self, tar: Path, ref: str, config: ImageConfig) -> Image:
        with self._world.call("load_root"):
            if not tar.is_file():
                raise EngineError(f"{tar} is not there.")
            return self._changed(self._world.add_image(ref, size=tar.stat().st_size), ref, config)

    def commit(self, container_id: str, ref: str, config: ImageConfig) -> Image:
        with self._world.call("commit"):
            box = self._world.box(container_id)
            layers = (*box.image.layers, f"sha256:{self._world.new_id()}")
            base = replace(
                box.image,
                id=f"sha256:{self._world.new_id()}",
                layers=layers,
                env={**box.spec.env, **box.image.env},
            )
            return self._changed(base, ref, config)

    def assembles(self) -> bool:
        return True

    def assemble(self, base: str, layers: Sequence[Layer], ref: str, config: ImageConfig) -> Image:
        with self._world.call("assemble"):
            below = self._world.image(base)
            if below is None:
                raise ImageMissing(f"No such image: {base}")
            ids = (*below.layers, *(layer.diff_id for layer in layers))
            for number, layer in enumerate(layers, start=len(below.layers) + 1):
                if layer.tar is not None:
                    self._world.layer_bytes[layer.diff_id] = layer.tar.stat().st_size
                elif not self._has_leading(ids[:number]):
                    raise EngineError(f"The engine does not have the layer {layer.diff_id}.")
            facts = (ids, sorted((config.env or {}).items()), config.command, config.entrypoint)
            labels = sorted((config.labels or {}).items())
            digest = hashlib.sha256(repr((facts, labels, config.user)).encode()).hexdigest()
            return self._changed(replace(below, id=f"sha256:{digest}", layers=ids), ref, config)

    def _has_leading(self, ids: tuple[str, ...]) -> bool:
        return any(image.layers[: len(ids)] == ids for image in self._world.images.values())

    def build(
        self,
        context: Path,
        dockerfile: str,
        ref: str,
        labels: Mapping[str, str],
        limits: Limits,
        args: Mapping[str, str] | None = None,
        secrets: Mapping[str, Path] | None = None,
        network: str | None = None,
    ) -> Iterator[str]:
        if not (context / dockerfile).is_file():
            raise BuildError(f"{dockerfile} is not a file of the source.")
        yield from (context / dockerfile).read_text().splitlines()
        with self._world.call("build"):
            self._world.add_image(ref, labels=dict(labels))

    def tag(self, ref: str, new_ref: str) -> None:
        with self._world.call("tag"):
            image = self._world.image(ref)
            if image is None:
                raise ImageMissing(f"No such image: {ref}")
            self._world.images[new_ref] = image

    def remove(self, ref: str) -> None:
        with self._world.call("remove_image"):
            image = self._world.image(ref)
            names = [name for name, other in self._world.images.items() if other == image]
            used = any(box.image == image for box in self._world.boxes.values())
            if image and (len(names) > 1 or not used):
                self._world.images.pop(ref, None)

    def list(self, prefix: str) -> Sequence[str]:
        with self._world.call("list_images"):
            return sorted(ref for ref in self._world.images if ref.startswith(prefix))

    def layer_sizes(self, ref: str) -> tuple[int, ...]:
        with self._world.call("layer_sizes"):
            image = self._world.image(ref)
            ids = image.layers if image else ()
            return tuple(self._world.layer_bytes.get(each, 0) for each in ids)

    def folder(self) -> Path | None:
        with self._world.call("folder"):
            return None

    def _changed(self, base: Image, ref: str, config: ImageConfig) -> Image:
        image = replace(
            base,
            env={**base.env, **(config.env or {})},
            labels={**base.labels, **(config.labels or {})},
            entrypoint=base.entrypoint if config.entrypoint is None else config.entrypoint,
            command=base.command if config.command is None else config.command,
            workdir=config.workdir or base.workdir,
            user=config.user or base.user,
        )
        self._world.images[ref] = image
        return image
