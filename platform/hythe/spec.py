"""The frozen part of a release: how its containers are made.

A release keeps this document for ever, so upgrading Hythe or changing a setting never changes, and
never restarts, what already runs. `format` is raised when the document's meaning changes.
"""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hythe import names as n
from hythe.appjson import AppJson
from hythe.engine.port import ContainerSpec, Limits
from hythe.healthcheck import HealthCheck
from hythe.model import App, Build, Release
from hythe.names import Names
from hythe.settings import Settings

FORMAT = 1
PORT = 5000
RELEASE_PROCESS = "release"
WEB_STARTUP = ("web", "startup")  # asked in any case


@dataclass(frozen=True, slots=True)
class ReleaseSpec:
    """What every container of a release has in common, and its processes."""

    kind: str  # buildpacks | dockerfile | image
    launch: tuple[str, ...]  # entrypoint that takes a command line; (): it is run as words
    init: bool
    user: str | None
    capabilities: tuple[str, ...]
    port: int  # where web listens
    processes: Mapping[str, str]  # {type: command line}; "" is the image's own command
    memory: int  # bytes
    cpus: float
    pids: int
    boot_timeout: int  # seconds
    commit: str | None
    exposed: tuple[int, ...] = ()  # TCP ports that the image declares
    health_path: str = "/"
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by process type
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # see AppJson.health
    format: int = FORMAT

    @classmethod
    def freeze(
        cls, build: Build, commit: str | None, settings: Settings, about: AppJson | None = None
    ) -> "ReleaseSpec":
        """The spec of a finished build under today's settings.

        web listens on $PORT; an image's one EXPOSEd port is put there, since many images have it
        fixed. A port that app.json's health check names comes before both.
        """
        result = build.result or {}
        exposed = result.get("exposed") or []
        own_port = result["kind"] != "buildpacks" and len(exposed) == 1
        about = about or AppJson()
        check = about.check
        return cls(
            kind=result["kind"],
            launch=tuple(result["launch"]),
            init=result["init"],
            user=result.get("user"),
            capabilities=tuple(result.get("capabilities", ())),
            port=check.port or (exposed[0] if own_port else PORT),
            processes=dict(build.processes or {}),
            memory=settings.instance_memory,
            cpus=settings.instance_cpus,
            pids=settings.instance_pids,
            boot_timeout=settings.boot_timeout,
            commit=commit,
            exposed=tuple(exposed) if result["kind"] != "buildpacks" else (),
            health_path=check.path,
            settings=about.process_settings(),
            checks={
                process: {kind: asdict(check) for kind, check in kinds.items()}
                for process, kinds in about.health().items()
            },
        )

    @classmethod
    def of(cls, release: Release) -> "ReleaseSpec":
        known = {key: release.spec[key] for key in cls.__slots__ if key in release.spec}
        known["launch"] = tuple(known["launch"])
        known["capabilities"] = tuple(known["capabilities"])
        known["exposed"] = tuple(known.get("exposed", ()))
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def check(self, process: str, kind: str) -> HealthCheck | None:
        """What an instance is asked: `startup`, until it is ready, or `liveness`, from then on."""
        document = self.checks.get(process, {}).get(kind)
        if document is not None:
            return HealthCheck.of(document)
        return HealthCheck(path=self.health_path) if (process, kind) == WEB_STARTUP else None

    def invocation(self, process: str) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
        """Entrypoint and command of a process; None is the image's own."""
        line = self.processes[process]
        return self.launched(line) if line else (None, None)

    def launched(self, line: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Entrypoint and command of a command line; raises ValueError where quotes are left open
        and the image has no shell to run it."""
        if self.launch:
            return self.launch, (line,)
        program, *arguments = shlex.split(line)
        return (program,), tuple(arguments)

    @property
    def limits(self) -> Limits:
        return Limits(self.memory, self.cpus, self.pids)


def environment(
    spec: ReleaseSpec, app: App, release: Release, config: Mapping[str, str], instance: str
) -> dict[str, str]:
    """The variables of one instance: the app's config, then what Hythe sets.

    PYTHONUNBUFFERED, WEB_CONCURRENCY and FORWARDED_ALLOW_IPS are defaults that config may replace.
    """
    per_worker = 256 * 1024**2
    concurrency = max(1, min(spec.memory // per_worker, 4 * round(spec.cpus) or 1))
    return {
        "PYTHONUNBUFFERED": "1",
        "WEB_CONCURRENCY": str(concurrency),
        "FORWARDED_ALLOW_IPS": "*",
        **config,
        "PORT": str(spec.port),
        "DYNO": instance,
        "HYTHE_INSTANCE": instance,
        "HYTHE_APP": app.name,
        "HYTHE_RELEASE": f"v{release.version}",
        **({"SOURCE_VERSION": spec.commit} if spec.commit else {}),
    }


def container(
    names: Names,
    app: App,
    release: Release,
    config: Mapping[str, str],
    *,
    name: str,
    kind: str,
    process: str,
    index: int,
    deployment_id: int,
    address: str,
    restart: bool,
    labels: Mapping[str, str] | None = None,
    line: str | None = None,
) -> ContainerSpec:
    """The container of one instance, of the release phase, or of a one-off run of a line."""
    spec = ReleaseSpec.of(release)
    entrypoint, command = spec.invocation(process) if line is None else spec.launched(line)
    return ContainerSpec(
        name=name,
        image=release.image,
        entrypoint=entrypoint,
        command=command,
        env=environment(spec, app, release, config, f"{process}.{index}"),
        labels={
            **names.labels,
            n.LABEL_KIND: kind,
            n.LABEL_APP: str(app.id),
            n.LABEL_APP_NAME: app.name,
            n.LABEL_PROCESS: process,
            n.LABEL_INDEX: str(index),
            n.LABEL_RELEASE: str(release.version),
            n.LABEL_DEPLOYMENT: str(deployment_id),
            **(labels or {}),
        },
        user=spec.user,
        hostname=f"{n.host_label(process)}-{index}",
        network=names.network(app.id),
        address=address,
        limits=spec.limits,
        capabilities=spec.capabilities,
        init=spec.init,
        restart=restart,
    )
