"""Images as they are: pulled from a registry or built from a Dockerfile, and how they run."""

from collections.abc import Callable, Mapping

from hythe.build.result import IMAGE_CAPABILITIES, ImageFacts, Kind
from hythe.build.stack import LAUNCHER
from hythe.commandline import words
from hythe.engine.port import ContainerSpec, Engine, Image, Login
from hythe.errors import ImageMissing, NoCommand, RegistryAway
from hythe.imagename import ImageName

SHELL = "/bin/sh"


def pull(engine: Engine, name: ImageName, login: Login | None, say: Callable[[str], None]) -> Image:
    """The image from its registry; else, if the engine has one of that name, that one.

    An image that was made on this machine is in no registry, and a registry may be away; wrong
    credentials are an error in any case.
    """
    try:
        return engine.images.pull(name.reference, login, say)
    except (RegistryAway, ImageMissing) as error:
        local = engine.images.find(name.reference)
        if local is None:
            raise
        why = "could not be reached" if isinstance(error, RegistryAway) else "does not have it"
        say(f"{name.host} {why}; taking the image of that name from this engine")
        return local


def pinned(image: Image, name: ImageName) -> str | None:
    """What names exactly this image in its registry; None for one that came from nowhere."""
    return next((one for one in image.digests if one.startswith(f"{name.repository}@")), None)


def processes(
    image: Image, declared: Mapping[str, str] | None, launch: tuple[str, ...]
) -> dict[str, str]:
    """The Procfile's processes, else the image's own command as `web`.

    Raises NoCommand, or NoShell for a command that needs the shell that the image does not have.
    """
    if declared:
        if not launch:
            for process, line in declared.items():
                words(line, process)
        return dict(declared)
    if _made_by_buildpacks(image) and not image.command:
        raise NoCommand(
            "Hythe's buildpacks made this image, and it holds no process types: nothing to run."
        )
    if not image.entrypoint and not image.command:
        raise NoCommand(
            "The image has neither CMD nor ENTRYPOINT, and there is no Procfile: nothing to run."
        )
    return {"web": ""}


def launch(engine: Engine, image: Image, name: str, labels: Mapping[str, str]) -> tuple[str, ...]:
    """What runs a command line in this image: its shell, or nothing (see commandline.py).

    Looked for in a container that is never started. An image that buildpacks made has a launcher,
    which sets the variables of its layers first.
    """
    if _made_by_buildpacks(image):
        return (LAUNCHER,)
    spec = ContainerSpec(name, image.id, (), (SHELL,), labels=labels, network="none")
    container = engine.instances.create(spec)
    try:
        return (SHELL, "-c") if engine.sessions.has(container.id, SHELL) else ()
    finally:
        engine.instances.remove(container.id)


def _made_by_buildpacks(image: Image) -> bool:
    return image.entrypoint == (LAUNCHER,)


def facts(
    kind: Kind, image: Image, launch: tuple[str, ...], reference: str | None = None
) -> ImageFacts:
    return ImageFacts(
        kind,
        launch,
        init=True,
        user=image.user or None,
        capabilities=IMAGE_CAPABILITIES,
        exposed=image.exposed,
        reference=reference,
    )
