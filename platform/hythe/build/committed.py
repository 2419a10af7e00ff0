"""Export for image stores that cannot assemble: images are committed from containers (ADR 2).

Two images, one on top of the other. The layers image is the run image with the launch layers; it is
named by the digest of what went in, and reused while that is the same. The app image is the layers
image with the app's files. So a push that changes code only writes code only; ids differ each time.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hythe.build import metadata
from hythe.build.cache import fingerprint
from hythe.build.contents import app_tar, layer_tar
from hythe.build.lifecycle import Built, Made
from hythe.build.stack import Stack
from hythe.build.tarball import end
from hythe.build.workspace import Workspace
from hythe.engine.port import ContainerSpec, Engine, Image, ImageConfig
from hythe.names import Names

FORMAT = "2"  # of what a layers image holds; part of its digest


@dataclass(frozen=True, slots=True)
class CommittedExport:
    """Exports one build. Its containers are never started; the supervisor removes them by label."""

    engine: Engine
    names: Names
    app_id: int
    container_name: str  # of the build; those of the export derive from it
    labels: Mapping[str, str]  # of the containers

    def export(
        self,
        stack: Stack,
        built: Built,
        workspace: Workspace,
        reference: str,
        config: ImageConfig,
        say: Callable[[str], None],
    ) -> Image:
        """The app's image under this name; `say` is told of what takes longer."""
        base = self._layers_image(stack, list(built.launch_layers()), say)
        config = metadata.with_lifecycle(config, built, base, {}, ())  # one layer has them all
        return self._app_image(base, built, workspace, reference, config)

    def _layers_image(
        self, stack: Stack, layers: Sequence[Made], say: Callable[[str], None]
    ) -> Image:
        """The layers image; written unless the engine has it."""
        reference = self.names.layers_image(self.app_id, _digest(stack, layers))
        found = self.engine.images.find(reference)
        if found is not None:
            return found
        say("Writing the dependency layers")
        container = self._create("layers", stack.run_id)
        self.engine.sessions.put(container, "/", _layers_tar(layers))
        return self.engine.images.commit(container, reference, ImageConfig())

    def _app_image(
        self, base: Image, built: Built, workspace: Workspace, reference: str, config: ImageConfig
    ) -> Image:
        """The layers image with the app's files, under this name."""
        container = self._create("app", base.id)
        self.engine.sessions.put(container, "/", app_tar(built, workspace, ()))
        return self.engine.images.commit(container, reference, config)

    def _create(self, part: str, image: str) -> str:
        spec = ContainerSpec(
            name=f"{self.container_name}.{part}", image=image, labels=self.labels, network="none"
        )
        return self.engine.instances.create(spec).id


def _digest(stack: Stack, layers: Sequence[Made]) -> str:
    sha = hashlib.sha256(f"{FORMAT} {stack.run_id}".encode())
    for made in layers:
        sha.update(f"{made.path} {fingerprint(made.layer.folder)}\n".encode())
    return sha.hexdigest()[:16]


def _layers_tar(layers: Sequence[Made]) -> Iterator[bytes]:
    for made in layers:
        yield from layer_tar(made)
    yield end()
