"""Making a release row: the version, the config snapshot, the frozen spec."""

from sqlalchemy import func, select

from hythe.model import App, Build, ConfigVar, Deployment, Formation, Release, Source, Vault, Write
from hythe.settings import Settings
from hythe.spec import RELEASE_PROCESS, ReleaseSpec


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
    spec = ReleaseSpec.freeze(build, source.commit, settings)
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
    _first_formation(tx, app.id, spec)
    return release


def _first_formation(tx: Write, app_id: int, spec: ReleaseSpec) -> None:
    """A process type that appears for the first time gets one instance if it is web, else none."""
    known = set(tx.scalars(select(Formation.process).where(Formation.app_id == app_id)))
    for process in spec.processes:
        if process != RELEASE_PROCESS and process not in known:
            quantity = 1 if process == "web" else 0
            tx.add(Formation(app_id=app_id, process=process, quantity=quantity))
