"""Export: from folders to images on the engine.

Two images, one on top of the other. The layers image is the run image with the launch layers; it is
named by the digest of what went in, and reused while that is the same. The app image is the layers
image with the app's files. So a push that changes code only writes code only.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hythe.build.cache import fingerprint
from hythe.build.container import APP, CLASSIC_APP, LAYERS, build_uid
from hythe.build.launch import Launch
from hythe.build.lifecycle import Made
from hythe.build.profile import profile
from hythe.build.stack import LAUNCHER, USER, Stack
from hythe.build.tarball import TarFile, end, link, tar_of, tar_of_tree
from hythe.build.workspace import Workspace
from hythe.engine.port import ContainerSpec, Engine, Image, ImageConfig
from hythe.names import Names

FORMAT = "1"  # of what a layers image holds; part of its digest
PROFILE = "/cnb/launch/profile.sh"


@dataclass(frozen=True, slots=True)
class Exporter:
    """Exports one build. Its containers are never started; the supervisor removes them by label."""

    engine: Engine
    names: Names
    app_id: int
    container_name: str  # of the build; those of the export derive from it
    labels: Mapping[str, str]  # of the containers

    def layers_image(
        self, stack: Stack, layers: Sequence[Made], launch: Launch, progress: Callable[[str], None]
    ) -> Image:
        """The layers image; written, which `progress` is told, unless the engine has it."""
        script = profile(((made.path, made.layer) for made in layers), launch)
        reference = self.names.layers_image(self.app_id, _digest(stack, layers, script))
        found = self.engine.images.find(reference)
        if found is not None:
            return found
        progress("Writing the dependency layers")
        config = ImageConfig(
            env={"CNB_LAYERS_DIR": LAYERS, "CNB_APP_DIR": APP},
            entrypoint=(LAUNCHER,),
            command=(),
            workdir=APP,
            user=USER,
        )
        container = self._create("layers", stack.run_id)
        self.engine.sessions.put(container, "/", _layers_tar(layers, script, launch))
        return self.engine.images.commit(container, reference, config)

    def app_image(
        self, base: Image, workspace: Workspace, tag: str, labels: Mapping[str, str]
    ) -> Image:
        """The layers image with the app's files, under the tag."""
        container = self._create("app", base.id)
        self.engine.sessions.put(container, "/", _app_tar(workspace))
        reference = self.names.app_image(self.app_id, tag)
        return self.engine.images.commit(container, reference, ImageConfig(labels=labels))

    def _create(self, part: str, image: str) -> str:
        spec = ContainerSpec(
            name=f"{self.container_name}.{part}", image=image, labels=self.labels, network="none"
        )
        return self.engine.instances.create(spec).id


def _digest(stack: Stack, layers: Sequence[Made], script: str) -> str:
    sha = hashlib.sha256(f"{FORMAT} {stack.run_id}\n{script}".encode())
    for made in layers:
        sha.update(f"{made.path} {fingerprint(made.layer.folder)}\n".encode())
    return sha.hexdigest()[:16]


def _layers_tar(layers: Sequence[Made], script: str, launch: Launch) -> Iterator[bytes]:
    for made in layers:
        yield from tar_of_tree(made.layer.folder, made.path, build_uid())
    if launch.classic:
        yield link(CLASSIC_APP, APP)
    yield from tar_of([TarFile(PROFILE, script.encode())])


def _app_tar(workspace: Workspace) -> Iterator[bytes]:
    yield from tar_of_tree(workspace.app, APP, build_uid())
    yield end()
