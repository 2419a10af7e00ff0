"""A ContainerSpec as the body of the engine's own create call."""

from typing import Any

from hythe.engine.port import ContainerSpec, Mount

# When the engine itself shuts down, it gives a container this long between SIGTERM and SIGKILL;
# Hythe's own stops name their grace.
SHUTDOWN_SECONDS = 30
LOG_FILES = {"max-size": "10m", "max-file": "3"}  # what the collector has not read yet fits in


def container_config(spec: ContainerSpec, group: str | None = None) -> dict[str, Any]:
    """group: the cgroup above the container's own; None: the engine's."""
    config: dict[str, Any] = {
        "Image": spec.image,
        "Env": [f"{key}={value}" for key, value in spec.env.items()],
        "Labels": dict(spec.labels),
        "Tty": spec.tty,
        "OpenStdin": spec.stdin,
        "StdinOnce": spec.stdin,
        "AttachStdin": spec.stdin,
        "StopTimeout": SHUTDOWN_SECONDS,
        "HostConfig": _host_config(spec) | ({"CgroupParent": group} if group else {}),
    }
    chosen = {
        "Cmd": None if spec.command is None else list(spec.command),
        "Entrypoint": None if spec.entrypoint is None else list(spec.entrypoint),
        "User": spec.user,
        "WorkingDir": spec.workdir,
        "Hostname": spec.hostname,
    }
    config |= {key: value for key, value in chosen.items() if value is not None}
    if spec.network and spec.address:
        endpoint = {"IPAMConfig": {"IPv4Address": spec.address}}
        config["NetworkingConfig"] = {"EndpointsConfig": {spec.network: endpoint}}
    return config


def _host_config(spec: ContainerSpec) -> dict[str, Any]:
    limits = spec.limits
    config: dict[str, Any] = {
        "CapDrop": ["ALL"],
        "CapAdd": list(spec.capabilities),
        "SecurityOpt": ["no-new-privileges"],
        "Init": spec.init,
        "ReadonlyRootfs": spec.sealed,
        "RestartPolicy": {"Name": "unless-stopped" if spec.restart else "no"},
        "LogConfig": {"Type": "json-file", "Config": LOG_FILES},
        "Mounts": [_bind(mount) for mount in spec.mounts],
        "Memory": limits.memory,
        "MemorySwap": limits.memory,  # memory and swap together: no swap on top
        "NanoCpus": round(limits.cpus * 1e9),
    }
    if limits.pids:
        config["PidsLimit"] = limits.pids
    if spec.network:
        config["NetworkMode"] = spec.network
    if spec.size:
        config["ConsoleSize"] = list(spec.size)  # from API 1.42 on
    return config


def _bind(mount: Mount) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": str(mount.source),
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }
