"""Fills a database with apps that have a history, without a container behind them."""

from datetime import timedelta
from typing import Any

from hythe.model import (
    App,
    Build,
    ConfigVar,
    Database,
    DeployKey,
    Deployment,
    Domain,
    Formation,
    Instance,
    Release,
    Source,
    Vault,
    Write,
    now,
)
from hythe.observe.line import LogLine
from hythe.observe.store import LogStore
from hythe.settings import Settings
from hythe.spec import ReleaseSpec
from hythe.transcript import Transcript

INSTANCES = {"web": 3, "worker": 2}  # of each app
RELEASES = 30
GONE = 50
CONFIG_VARS = 20
LOG_LINES = 500

RESULT: dict[str, Any] = {
    "kind": "buildpacks",
    "launch": ["/cnb/lifecycle/launcher"],
    "init": False,
    "user": "app",
    "capabilities": [],
    "exposed": [],
}


def populate(database: Database, vault: Vault, settings: Settings, apps: int) -> None:
    """Make so many apps, each with releases, deployments, instances, config and a log."""
    config = {f"KEY_{number}": "x" * 40 for number in range(CONFIG_VARS)}
    sealed, sealed_var = vault.seal_map(config), vault.seal("x" * 40)
    for number in range(apps):
        with database.write() as tx:
            app = App(name=f"app-{number:03}")
            tx.add(app)
            tx.flush()
            app.serving_id = _history(tx, settings, app, sealed)
            _instances(tx, app)
            tx.add_all(ConfigVar(app_id=app.id, key=key, value=sealed_var) for key in config)
            tx.add(DeployKey(app_id=app.id, public="ssh-ed25519 AAAA", private=sealed_var))
            tx.add(Domain(app_id=app.id, host=f"www.app-{number:03}.example.com"))
        _texts(settings, app)


def _history(tx: Write, settings: Settings, app: App, config: bytes) -> int:
    """Releases by pushes, one after the other; returns the deployment that serves."""
    serving = 0
    for version in range(1, RELEASES + 1):
        at = now() - timedelta(hours=RELEASES - version)
        source = Source(
            app_id=app.id,
            kind="git",
            tree=f"{version:040x}",
            path=f"sources/{version}",
            commit=f"{version:040x}",
            message=f"Change number {version}",
            created_by="bench",
        )
        tx.add(source)
        tx.flush()
        build = Build(
            app_id=app.id,
            source_id=source.id,
            status="succeeded",
            builder="buildpacks",
            image=f"sha256:{version}",
            processes={kind: f"run {kind}" for kind in INSTANCES},
            result=RESULT,
            steps=[{"name": "build", "seconds": 1.5}],
            ended_at=at,
        )
        tx.add(build)
        tx.flush()
        release = Release(
            app_id=app.id,
            version=version,
            description=f"Deploy {version:07x}",
            build_id=build.id,
            source_id=source.id,
            image=f"sha256:{version}",
            config=config,
            spec=ReleaseSpec.freeze(build, None, settings).to_json(),
            created_by="bench",
        )
        tx.add(release)
        tx.flush()
        deployment = Deployment(
            app_id=app.id,
            kind="push",
            status="live",
            source_id=source.id,
            build_id=build.id,
            release_id=release.id,
            created_by="bench",
            created_at=at,
            ended_at=at,
        )
        tx.add(deployment)
        tx.flush()
        serving = deployment.id
    return serving


def _instances(tx: Write, app: App) -> None:
    host = 0
    for process, quantity in INSTANCES.items():
        tx.add(Formation(app_id=app.id, process=process, quantity=quantity))
        for state, count in (("up", quantity), ("gone", GONE // len(INSTANCES))):
            for index in range(1, count + 1):
                host += 1
                tx.add(
                    Instance(
                        app_id=app.id,
                        deployment_id=app.serving_id,
                        process=process,
                        index=index,
                        address=f"10.192.{app.id % 250}.{host}",
                        state=state,
                        ready_at=now(),
                    )
                )


def _texts(settings: Settings, app: App) -> None:
    text = "a line of the app " * 4
    lines = [LogLine(1.7e9 + number, text, "web", 1, "v30") for number in range(LOG_LINES)]
    LogStore(settings).append(app.id, lines)
    assert app.serving_id is not None
    transcript = Transcript.of(settings, app.serving_id)
    for number in range(100):
        transcript.detail(f"Line {number} of a build")
