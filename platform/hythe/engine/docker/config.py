"""An image's configuration: what a commit or an import sets, as the engine wants it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from hythe.engine.port import ImageConfig
from hythe.errors import EngineError


def environment(pairs: Iterable[str] | None) -> dict[str, str]:
    """The engine's list of KEY=value as a dictionary."""
    split = (pair.partition("=") for pair in pairs or ())
    return {key: value for key, _, value in split}


def committed_config(
    base: Mapping[str, Any], container: Mapping[str, Any], change: ImageConfig
) -> dict[str, Any]:
    """The configuration of an image committed from a container: its base's, changed.

    The engine merges the container's own settings into whatever a commit leaves empty. So each
    field that the container set for itself (to run a build, say) is given a neutral value here.
    Labels can only be blanked; without that, the build's labels would mark every container made of
    the image. The container's environment cannot be kept out: pass variables to its programs.
    """
    config = dict(base)
    env = environment(base.get("Env")) | dict(change.env or {})
    config["Env"] = [f"{key}={value}" for key, value in env.items()]
    blank = dict.fromkeys(container.get("Labels") or {}, "")
    config["Labels"] = blank | (base.get("Labels") or {}) | dict(change.labels or {})
    config["User"] = change.user or base.get("User") or ("0" if container.get("User") else "")
    workdir = change.workdir or base.get("WorkingDir")
    config["WorkingDir"] = workdir or ("/" if container.get("WorkingDir") else "")
    entrypoint = _chosen(change.entrypoint, base.get("Entrypoint"))
    command = _chosen(change.command, base.get("Cmd"))
    config["Cmd"] = list(command or ())
    # An empty pair would be filled from the container; an empty string means none to the engine.
    config["Entrypoint"] = list(entrypoint or ()) if entrypoint or command else [""]
    return config


def _chosen(change: Any, base: Any) -> Any:
    return base if change is None else change


def import_changes(config: ImageConfig) -> list[str]:
    """The same for an import, which takes Dockerfile instructions."""
    changes = [f"ENV {key}={_quoted(value)}" for key, value in (config.env or {}).items()]
    changes += [f"LABEL {_quoted(k)}={_quoted(v)}" for k, v in (config.labels or {}).items()]
    if config.entrypoint is not None:
        changes.append(f"ENTRYPOINT {json.dumps(config.entrypoint)}")
    if config.command is not None:
        changes.append(f"CMD {json.dumps(config.command)}")
    if config.workdir:
        changes.append(f"WORKDIR {config.workdir}")
    if config.user:
        changes.append(f"USER {config.user}")
    return changes


def _quoted(value: str) -> str:
    if "\n" in value:
        raise EngineError("A variable or label of an imported image cannot hold a line break.")
    for special in ("\\", '"', "$"):
        value = value.replace(special, f"\\{special}")
    return f'"{value}"'
