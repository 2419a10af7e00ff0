"""Rows with defaults, for tests that are about something else."""

from typing import Any

from sqlalchemy import select

from hythe.appjson import AppJson
from hythe.model import (
    App,
    Base,
    Build,
    Database,
    Deployment,
    Formation,
    Release,
    Source,
    Vault,
    Write,
)
from hythe.settings import Settings
from hythe.spec import ReleaseSpec

RESULT: dict[str, Any] = {
    "kind": "buildpacks",
    "launch": ["/cnb/lifecycle/launcher"],
    "init": False,
    "user": "app",
    "capabilities": [],
    "exposed": [],
}


def make_app(tx: Write, name: str = "shop", **values: Any) -> App:
    app = App(name=name, **values)
    tx.add(app)
    tx.flush()
    return app


def make_build(
    tx: Write, app: App, processes: dict[str, str] | None = None, image: str = "sha256:one"
) -> Build:
    source = Source(app_id=app.id, kind="git", tree="t" * 40, path="sources/x", created_by="test")
    tx.add(source)
    tx.flush()
    build = Build(
        app_id=app.id,
        source_id=source.id,
        status="succeeded",
        image=image,
        processes=processes or {"web": "serve"},
        result=RESULT,
    )
    tx.add(build)
    tx.flush()
    return build


def make_release(
    tx: Write,
    vault: Vault,
    settings: Settings,
    app: App,
    *,
    version: int = 1,
    processes: dict[str, str] | None = None,
    config: dict[str, str] | None = None,
    image: str = "sha256:one",
    about: AppJson | None = None,
) -> Release:
    build = make_build(tx, app, processes, image)
    release = Release(
        app_id=app.id,
        version=version,
        description="Deploy",
        build_id=build.id,
        source_id=build.source_id,
        image=image,
        config=vault.seal_map(config or {}),
        spec=ReleaseSpec.freeze(build, None, settings, about).to_json(),
        created_by="test",
    )
    tx.add(release)
    tx.flush()
    return release


def make_deployment(
    tx: Write, app: App, release: Release | None = None, status: str = "live", kind: str = "push"
) -> Deployment:
    deployment = Deployment(
        app_id=app.id,
        kind=kind,
        status=status,
        release_id=release.id if release else None,
        created_by="test",
    )
    tx.add(deployment)
    tx.flush()
    return deployment


def make_formation(tx: Write, app: App, **quantities: int) -> None:
    for process, quantity in quantities.items():
        tx.add(Formation(app_id=app.id, process=process, quantity=quantity))
    tx.flush()


def stored(settings: Settings, database: Database) -> bytes:
    """Everything that the database holds: its files on SQLite, and all rows."""
    found = [path.read_bytes() for path in settings.home.glob("hythe.db*")]
    with database.read() as session:
        for table in Base.metadata.sorted_tables:
            for row in session.execute(select(table)):
                found += [v if isinstance(v, bytes) else str(v).encode() for v in row]
    return b"\n".join(found)
