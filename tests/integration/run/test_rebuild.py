"""A lost image: who asks for it, who builds it, and who gets it."""

from pathlib import Path

import pytest
from builders import make_app, make_deployment, make_release
from sqlalchemy import select

from hythe.build.claim import Claims
from hythe.engine.memory import Memory
from hythe.model import App, Database, Deployment, Release, Source, Vault, now
from hythe.names import Names
from hythe.release.stage import ReleaseStage
from hythe.run.rebuild import rebuild
from hythe.settings import Settings
from hythe.source.refill import Refill

RESULT = {
    "builder": "buildpacks",
    "image": "sha256:again",
    "processes": {"web": "other"},
    "result": {},
    "steps": [],
}


@pytest.fixture
def serving(settings: Settings, database: Database) -> int:
    """The deployment of v1, which serves; v2 is a config change of the same build."""
    vault = Vault.open(settings.key_file)
    with database.write() as tx:
        app = make_app(tx)
        first = make_release(tx, vault, settings, app)
        deployment = make_deployment(tx, app, first)
        app.serving_id = deployment.id
        second = make_release(tx, vault, settings, app, version=2)
        second.build_id = first.build_id
        return deployment.id


def deployments(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        rows = session.scalars(select(Deployment).order_by(Deployment.id)).all()
    return [(row.kind, row.status) for row in rows]


def test_it_is_asked_for_once_and_not_soon_after_a_failure(
    settings: Settings, database: Database, serving: int
) -> None:
    assert rebuild(settings, database, serving)
    assert not rebuild(settings, database, serving)
    assert deployments(database)[1:] == [("rebuild", "queued")]
    with database.write() as tx:
        last = tx.scalars(select(Deployment).order_by(Deployment.id.desc())).first()
        assert last is not None
        last.status, last.ended_at = "failed", now()
    assert not rebuild(settings, database, serving)


def test_nothing_is_asked_for_without_a_source(
    settings: Settings, database: Database, serving: int
) -> None:
    with database.write() as tx:
        tx.scalars(select(Release).where(Release.version == 1)).one().source_id = None
    assert not rebuild(settings, database, serving)


def test_every_release_of_the_lost_build_gets_the_new_image_and_keeps_its_spec(
    settings: Settings, database: Database, serving: int
) -> None:
    vault = Vault.open(settings.key_file)
    with database.read() as session:
        before = [release.spec for release in session.scalars(select(Release))]
        path = session.scalars(select(Source.path)).first()
    rebuild(settings, database, serving)
    claims = Claims(settings, database, vault)
    assert claims.take() is None  # until source/ has laid it out again

    def lay_out(source: Source) -> None:
        (settings.home / source.path).mkdir(parents=True)

    Refill(settings, database, lay_out).fill()
    assert (settings.home / str(path)).is_dir()
    claim = claims.take()
    assert claim is not None
    claims.succeed(claim, RESULT)
    assert deployments(database)[-1] == ("rebuild", "live")
    with database.read() as session:
        releases = session.scalars(select(Release)).all()
        assert {release.image for release in releases} == {"sha256:again"}
        assert {release.build_id for release in releases} == {claim.build_id}
        assert [release.spec for release in releases] == before
        assert session.scalars(select(App.serving_id)).one() == serving


def test_a_source_that_is_gone_fails_the_deployment_with_a_fix(
    settings: Settings, database: Database, serving: int
) -> None:
    rebuild(settings, database, serving)

    def lay_out(_source: Source) -> None:
        raise OSError("no such object")

    Refill(settings, database, lay_out).fill()
    with database.read() as session:
        last = session.scalars(select(Deployment).order_by(Deployment.id.desc())).first()
        assert last is not None
        assert (last.status, last.error_code) == ("failed", "source")
        assert "Push it again" in (last.error_fix or "")


@pytest.mark.parametrize(
    ("newer", "source", "status"),
    [(False, True, "queued"), (True, True, "superseded"), (False, False, "failed")],
)
def test_a_rollback_to_a_lost_image_is_built_first(
    settings: Settings,
    database: Database,
    serving: int,
    newer: bool,
    source: bool,
    status: str,
    tmp_path: Path,
) -> None:
    with database.write() as tx:
        release = tx.scalars(select(Release).where(Release.version == 2)).one()
        if not source:
            release.source_id = None
        app = tx.get_one(App, release.app_id)
        back = make_deployment(tx, app, release, "built", "rollback").id
        if newer:
            make_deployment(tx, app, status="queued")
    vault = Vault.open(settings.key_file)
    engine = Memory().engine
    stage = ReleaseStage(settings, database, engine, Names("abcdef"), vault)
    for deployment_id, app_id in stage._waiting():
        stage._take(deployment_id, app_id)
    with database.read() as session:
        assert session.get_one(Deployment, back).status == status
