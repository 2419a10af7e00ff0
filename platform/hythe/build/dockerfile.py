"""Dockerfile builds: the engine builds the image."""

from pathlib import Path

from hythe.build.operator import registries
from hythe.build.output import Output
from hythe.engine.port import Engine, Image, Limits
from hythe.errors import PlatformError

FILE = "Dockerfile"
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
