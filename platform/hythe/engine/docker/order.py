"""One Dockerfile build, as both builders take it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hythe.engine.port import Limits


@dataclass(frozen=True, slots=True)
class Order:
    context: Path
    dockerfile: Path  # absolute, inside the context
    ref: str
    labels: Mapping[str, str]
    limits: Limits
    args: Mapping[str, str]  # only those that the image's history may tell
    values: Mapping[str, str]  # BuildKit mounts these where a step asks for them,
    secrets: Mapping[str, Path]  # and these files
    network: str | None  # of the classic builder's steps
