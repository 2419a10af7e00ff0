"""Making a release row: the version, the config snapshot, the frozen spec."""

from collections.abc import Mapping

from sqlalchemy import func, select

from hythe import network
from hythe.appjson import AppJson
from hythe.model import App, Build, ConfigVar, Deployment, Formation, Release, Source, Vault, Write
from hythe.settings import Settings
from hythe.spec import RELEASE_PROCESS, ReleaseSpec
from hythe.transcript import Transcript


def next_version(tx: Write, app_id: int) -> int:
    newest = tx.scalar(select(func.max(Release.version)).where(Release.app_id == app_id))
    return (newest or 0) + 1


def config_now(tx: Write, vault: Vault, app_id: int) -> dict[str, str]:
    rows = tx.scalars(select(ConfigVar).where(ConfigVar.app_id == app_id))
    return {row.key: vault.unseal(row.value) for row in rows}


def from_build(
    tx: Write, vault: Vault, settings: Settings, app: App, deployment: Deployment, build: Build
) -> Release:
    """The release of a finished build, with the config as it is in this transaction."""
    source = tx.get_one(Source, build.source_id)
    about = AppJson.read(vault.unseal(source.app_json)) if source.app_json else AppJson()
    spec = ReleaseSpec.freeze(build, source.commit, settings, about)
    _first_config(tx, vault, settings, deployment, about)
    release = Release(
        app_id=app.id,
        version=next_version(tx, app.id),
        description=deployment.description,
        build_id=build.id,
        source_id=source.id,
        image=build.image or "",
        config=vault.seal_map(config_now(tx, vault, app.id)),
        spec=spec.to_json(),
        created_by=deployment.created_by,
    )
    tx.add(release)
    tx.flush()
    _first_formation(tx, settings, deployment, spec, about.quantities())
    return release


def _first_config(
    tx: Write, vault: Vault, settings: Settings, deployment: Deployment, about: AppJson
) -> None:
    """A config var that app.json brings is set when its key appears for the first time."""
    config = config_now(tx, vault, deployment.app_id)
    values = about.first_values(config)
    for key, value in values.items():
        tx.add(ConfigVar(app_id=deployment.app_id, key=key, value=vault.seal(value)))
    tx.flush()
    if values:
        Transcript.of(settings, deployment.id).detail(f"app.json sets {', '.join(sorted(values))}")


def _first_formation(
    tx: Write,
    settings: Settings,
    deployment: Deployment,
    spec: ReleaseSpec,
    wanted: Mapping[str, int],
) -> None:
    """A process type that appears for the first time gets the instances that app.json says.

    Without that one if it is web, else none. Never more than ps:scale would allow.
    """
    app_id = deployment.app_id
    rows = tx.scalars(select(Formation).where(Formation.app_id == app_id)).all()
    known = {row.process for row in rows}
    room = network.ROOM - sum(row.quantity for row in rows)
    for process in sorted(spec.processes, key=lambda each: (each != "web", each)):
        if process == RELEASE_PROCESS or process in known:
            continue
        asked = wanted.get(process, 1 if process == "web" else 0)
        quantity = max(0, min(asked, settings.max_instances, room))
        if quantity < asked:
            Transcript.of(settings, deployment.id).warn(
                f"app.json asks for {process}={asked}; {process}={quantity} is all that an app "
                f"may have ({settings.max_instances} of a type, {network.ROOM} in all)."
            )
        room -= quantity
        tx.add(Formation(app_id=app_id, process=process, quantity=quantity))
