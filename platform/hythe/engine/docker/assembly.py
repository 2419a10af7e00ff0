"""Images put together of layers, sent to the engine without those that it has.

The engine's image store names an image by the digest of its configuration, which names the layers
by the digests of their tars. So the id is known before anything is sent, and equal input gives an
equal id. In the archive of a load, a layer that the engine has on top of the same layers is never
read: an empty file stands for it. Only the graph drivers (overlay2) do so; images that the
containerd store loads this way can be neither saved nor pushed.
"""

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from docker.errors import ImageNotFound
from docker.utils import parse_repository_tag

from hythe.engine.docker.client import Client, brief, speaking
from hythe.engine.docker.config import environment
from hythe.engine.port import ImageConfig, Layer
from hythe.errors import EngineError, ImageMissing

CREATED = "1980-01-01T00:00:01Z"  # as buildpack images have it: a time would change the id
BLOCK = 1 << 20
CONTAINERD = "io.containerd.snapshotter"


class Assembly:
    """Makes images of layers on one engine."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def possible(self) -> bool:
        """Whether the image store is a graph driver's."""
        with speaking():
            status = self._client.api.info().get("DriverStatus") or ()
        return not any(CONTAINERD in str(pair) for pair in status)

    def make(self, base: str, layers: Sequence[Layer], ref: str, config: ImageConfig) -> str:
        """Make the image, or tag the one that is there; returns its id."""
        with speaking():
            try:
                below = self._client.api.inspect_image(base)  # type: ignore[no-untyped-call]
            except ImageNotFound:
                raise ImageMissing(f"The image {base} is not on this engine.") from None
        known = below["RootFS"].get("Layers") or []
        document = _configuration(below, [*known, *(layer.diff_id for layer in layers)], config)
        identity = f"sha256:{hashlib.sha256(document).hexdigest()}"
        if self._has(identity):
            repository, tag = parse_repository_tag(ref)
            with speaking():
                self._client.api.tag(identity, repository, tag)
        else:
            tars = [*(None for _ in known), *(layer.tar for layer in layers)]
            self._load(_archive(document, tars, ref))
        return identity

    def _has(self, identity: str) -> bool:
        with speaking():
            try:
                self._client.api.inspect_image(identity)  # type: ignore[no-untyped-call]
            except ImageNotFound:
                return False
        return True

    def _load(self, archive: Iterator[bytes]) -> None:
        with speaking():
            for line in self._client.bulk.load_image(archive, quiet=True):  # type: ignore[no-untyped-call]
                if "error" in line:  # arrives after a status of 200
                    raise EngineError(f"The image could not be loaded: {brief(line['error'])}")


def _configuration(below: Mapping[str, Any], diff_ids: Sequence[str], config: ImageConfig) -> bytes:
    """The image's configuration: that of its base, changed, without any time of today."""
    old = below["Config"] or {}
    env = environment(old.get("Env")) | dict(config.env or {})
    labels = dict(old.get("Labels") or {}) | dict(config.labels or {})
    entrypoint = old.get("Entrypoint") if config.entrypoint is None else list(config.entrypoint)
    command = old.get("Cmd") if config.command is None else list(config.command)
    document = {
        "architecture": below["Architecture"],
        "os": below["Os"],
        "created": CREATED,
        "config": {
            "Env": [f"{key}={value}" for key, value in env.items()],
            "Labels": labels,
            "Entrypoint": entrypoint or None,
            "Cmd": command or None,
            "WorkingDir": config.workdir or old.get("WorkingDir") or "",
            "User": config.user or old.get("User") or "",
            "ExposedPorts": old.get("ExposedPorts") or {},
        },
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        "history": [{"created": CREATED, "created_by": "hythe"} for _ in diff_ids],
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _archive(document: bytes, tars: Sequence[Path | None], ref: str) -> Iterator[bytes]:
    """What `docker load` takes: the configuration, the layers, and a manifest."""
    names = [f"{number}/layer.tar" for number in range(len(tars))]
    for name, tar in zip(names, tars, strict=True):
        yield _head(name, tar.stat().st_size if tar else 0)
        if tar is not None:
            yield from _content(tar)
    manifest = [{"Config": "config.json", "RepoTags": [ref], "Layers": names}]
    for name, data in (
        ("config.json", document),
        ("manifest.json", json.dumps(manifest).encode()),
    ):
        yield _head(name, len(data)) + data + bytes(-len(data) % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _head(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


def _content(file: Path) -> Iterator[bytes]:
    size = 0
    with file.open("rb") as opened:
        while block := opened.read(BLOCK):
            size += len(block)
            yield block
    yield bytes(-size % tarfile.BLOCKSIZE)
