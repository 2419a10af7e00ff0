"""The labels by which tools of the buildpacks world know an image.

Their shapes are those of the platform specification (buildpacks/spec, platform.md). They are part
of the image's configuration, and so of its id: what they say may change only when the image does.
Hence the source is named by its tree, never by its commit.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import tomli_w

from hythe.build.lifecycle import Built, Made
from hythe.engine.port import Image, ImageConfig

BUILD = "io.buildpacks.build.metadata"
LIFECYCLE = "io.buildpacks.lifecycle.metadata"
PROJECT = "io.buildpacks.project.metadata"


def of_build(built: Built, processes: Mapping[str, str]) -> str:
    """What built the image, and what it can run: command lines, which bash gets."""
    return _json({
        "buildpacks": [
            {
                "id": each.id,
                "version": each.version,
                "api": ".".join(map(str, each.api)),
                **({"homepage": each.homepage} if each.homepage else {}),
            }
            for each in built.buildpacks
        ],
        "processes": [
            {
                "type": kind,
                "command": [line],
                "args": [],
                "direct": False,
                **_owner(built, kind, line),
            }
            for kind, line in sorted(processes.items())
        ],
    })  # fmt: skip


def of_project(tree: str) -> str:
    """What was built: the git tree of its files."""
    return _json({"source": {"type": "git", "version": {"tree": tree}}})


def with_lifecycle(
    config: ImageConfig,
    built: Built,
    base: Image,
    layers: Mapping[Made, str],
    app: Sequence[str],
) -> ImageConfig:
    """The configuration with the lifecycle's label: what the layers are, and the stores.

    layers, app: the diff ids of launch layers and of the app's slices, where they are known.
    """
    about = {
        "app": [{"sha": sha} for sha in app],
        "buildpacks": [
            {
                "key": each.id,
                "version": each.version,
                "layers": {
                    made.layer.name: _layer(made, layers.get(made))
                    for made in built.launch_layers()
                    if made.owner == each.escaped
                },
                **_store(built, each.escaped),
            }
            for each in built.buildpacks
        ],
        "runImage": {"reference": base.id, "topLayer": base.layers[-1] if base.layers else ""},
    }
    return replace(config, labels={**(config.labels or {}), LIFECYCLE: _json(about)})


def stores(image: Image) -> dict[str, str]:
    """The stores that an image's label holds, as TOML, by the folder of the buildpack's layers.

    {} for an image without the label, or with one that is not ours to read.
    """
    try:
        listed = json.loads(image.labels.get(LIFECYCLE, "{}")).get("buildpacks", ())
        found = {each["key"].replace("/", "_"): each.get("store") for each in listed}
        return {
            owner: tomli_w.dumps(store)
            for owner, store in found.items()
            if store and owner.strip(".")  # no way up
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _layer(made: Made, sha: str | None) -> dict[str, Any]:
    layer = made.layer
    types = {"build": layer.build, "launch": layer.launch, "cache": layer.cache}
    return {**({"sha": sha} if sha else {}), "data": dict(layer.metadata), **types}


def _store(built: Built, owner: str) -> dict[str, Any]:
    metadata = built.stores.get(owner)
    return {"store": {"metadata": metadata}} if metadata else {}


def _owner(built: Built, kind: str, line: str) -> dict[str, str]:
    """The buildpack that declared a process, unless the Procfile did."""
    owner = built.launch.owners.get(kind)
    return {"buildpackID": owner} if owner and built.launch.processes.get(kind) == line else {}


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)
