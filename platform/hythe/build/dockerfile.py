"""Dockerfile builds: the engine builds the image, we read what it is."""

from pathlib import Path

from hythe.build.operator import registries
from hythe.build.output import Output
from hythe.build.result import DOCKERFILE_CAPABILITIES, ImageFacts
from hythe.engine.port import Engine, Image, Limits
from hythe.errors import BuildError, PlatformError

FILE = "Dockerfile"
SHELL = ("/bin/sh", "-c")
BUNDLE = "ca-certificates.crt"  # the secret that is the host's CA bundle


def present(source: Path) -> bool:
    return (source / FILE).is_file()


def build(
    engine: Engine,
    source: Path,
    reference: str,
    labels: dict[str, str],
    limits: Limits,
    output: Output,
    network: str,
) -> Image:
    """Build the Dockerfile at the root of the source."""
    operator = registries()
    bundle = operator.bundle()
    secrets = {BUNDLE: bundle} if bundle else {}
    lines = engine.images.build(
        source, FILE, reference, labels, limits, operator.settings(), secrets, network
    )
    for line in lines:
        output.line(line)
    output.flush()
    image = engine.images.find(reference)
    if image is None:
        raise PlatformError(f"The engine built {reference}, but does not have it.", "Deploy again.")
    return image


def processes(image: Image, declared: dict[str, str] | None) -> dict[str, str]:
    """The Procfile's processes, else the image's own as `web`."""
    if declared:
        return declared
    if not image.entrypoint and not image.command:
        raise BuildError(
            "The image has neither CMD nor ENTRYPOINT, and there is no Procfile: nothing to run.",
            "Add a CMD to the Dockerfile, or a Procfile with a `web:` line.",
        )
    return {"web": ""}


def facts(image: Image) -> ImageFacts:
    return ImageFacts(
        "dockerfile",
        SHELL,
        init=True,
        user=image.user or None,
        capabilities=DOCKERFILE_CAPABILITIES,
        exposed=image.exposed,
    )
