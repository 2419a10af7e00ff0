"""The disk governor on a real engine, and builds on a disk that is nearly full."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from builders import make_deployment
from integration.build.conftest import Builds
from sqlalchemy import select

from hythe.build import prune
from hythe.build.disk import Survey
from hythe.build.governor import Governor
from hythe.build.stack import recipe
from hythe.build.stage import BuildStage
from hythe.engine.port import ContainerSpec
from hythe.model import App, Build, Deployment, Event, Release, Source
from hythe.release.stage import ReleaseStage

pytestmark = [pytest.mark.docker, pytest.mark.one_database("it is about images")]

HELLO = {"Procfile": "web: ./run\n", "run": "#!/bin/sh\nsleep 60\n"}
Start = Callable[..., BuildStage]


def release(builds: Builds, build: Build, version: int) -> None:
    """What release/ and run/ make of a build, without them."""
    with builds.database.write() as tx:
        row = Release(
            app_id=builds.app_id, version=version, description="", build_id=build.id, config=b"",
            source_id=build.source_id, image=build.image, spec={}, created_by="test",
        )  # fmt: skip
        tx.add(row)
        tx.flush()
        app = tx.get_one(App, builds.app_id)
        for under_way in tx.scalars(select(Deployment).where(Deployment.status == "built")):
            under_way.status = "failed"
        app.serving_id = make_deployment(tx, app, row).id


def test_old_images_go_and_those_in_use_or_for_rollbacks_stay(builds: Builds, start: Start) -> None:
    start()
    made = []
    for version in range(1, 5):
        made.append(builds.succeed(HELLO | {"version": str(version)}))
        release(builds, made[-1], version)
    spec = ContainerSpec(
        name=f"{builds.names.prefix}.holder", image=made[1].image or "", labels=builds.names.labels
    )
    builds.engine.instances.create(spec)  # somebody else's: the rows do not know it
    volume = f"{builds.names.prefix}-data"
    subprocess.run(["docker", "volume", "create", volume], check=True, capture_output=True)
    try:
        settings = replace(builds.settings, rollback_images=2, max_images=1)
        pruner = Governor(settings, builds.database, builds.engine, builds.names)
        removed = pruner.look(time.time() + 2 * prune.YOUNG)
        kept = subprocess.run(["docker", "volume", "inspect", volume], capture_output=True)
        assert kept.returncode == 0
    finally:
        subprocess.run(["docker", "volume", "rm", volume], check=True, capture_output=True)
    there = [builds.engine.images.find(each.image or "") is not None for each in made]
    assert there == [False, True, True, True]  # unused, held by a container, for rollbacks
    first = builds.names.app_image(builds.app_id, f"b{made[0].id}")
    assert [each.reference for each in removed] == [first]
    with builds.database.read() as tx:
        event = tx.scalars(select(Event).where(Event.kind == "disk.prune")).one()
    assert event.data["reason"] == "more than 1 images of the app"
    assert event.message.startswith(f"Removed the image {first} (")
    survey = Survey.load(settings)
    assert survey is not None
    assert survey.apps[str(builds.app_id)].images == 3
    assert survey.engine == str(builds.engine.images.folder())


def test_a_rollback_to_a_release_whose_image_was_pruned_builds_the_same_again(
    builds: Builds, start: Start
) -> None:
    start()
    made = []
    for version in (1, 2):
        made.append(builds.succeed(HELLO | {"version": str(version)}))
        release(builds, made[-1], version)
        kept = builds.source.with_name(f"v{version}")  # a source's folder is its own
        builds.source.rename(kept)
        with builds.database.write() as tx:
            tx.get_one(Source, made[-1].source_id).path = f"sources/{kept.name}"
    settings = replace(builds.settings, rollback_images=1, max_images=1)
    Governor(settings, builds.database, builds.engine, builds.names).look(
        time.time() + 2 * prune.YOUNG
    )
    lost = made[0].image or ""
    assert builds.engine.images.find(lost) is None
    with builds.database.write() as tx:
        first = tx.scalars(select(Release).where(Release.version == 1)).one()
        app = tx.get_one(App, builds.app_id)
        rollback = make_deployment(tx, app, first, "built", "rollback").id
    releases = ReleaseStage(settings, builds.database, builds.engine, builds.names, builds.vault)
    releases._take(rollback, builds.app_id)
    assert "The image of v1 is gone; building it again" in builds.transcript(rollback)
    builds.wait(rollback, until=lambda each: each.status == "built" and each.build_id is not None)
    assert builds.engine.images.find(lost) is not None, "equal files give an equal image"
    with builds.database.read() as session:
        assert session.get_one(Release, first.id).image == lost
        serving = session.get_one(App, builds.app_id).serving_id
        assert session.get_one(Deployment, serving).status == "live"


def test_layers_that_an_apps_images_share_count_once(builds: Builds, start: Start) -> None:
    start()
    script = (
        "cd $CNB_LAYERS_DIR; mkdir -p big; yes | head -c 5000000 >big/file;"
        " printf '[types]\\nlaunch = true\\n' >big.toml"
    )
    pin = {"kind": "inline", "name": "me/big", "script": {"inline": script}}
    images = [
        builds.engine.images.find(builds.succeed(HELLO | {"n": str(n)}, [pin]).image or "")
        for n in range(2)
    ]
    base = builds.engine.images.find(recipe().reference("run"))
    assert base is not None and all(images)
    own = [each.size - base.size for each in images if each]
    pruner = Governor(builds.settings, builds.database, builds.engine, builds.names)
    pruner.look(time.time())
    survey = Survey.load(builds.settings)
    assert survey is not None
    taken = survey.apps[str(builds.app_id)].image_bytes
    assert max(own) >= 5_000_000
    assert max(own) <= taken < 1.1 * max(own), "the large layer is stored once"


def test_a_cache_goes_by_age_but_not_under_a_build(builds: Builds, start: Start) -> None:
    stage = start()
    builds.succeed(HELLO)
    stage.stop()
    pruner = Governor(builds.settings, builds.database, builds.engine, builds.names)
    cache = builds.settings.home / "cache" / str(builds.app_id)
    assert [each.app_id for each in pruner._stock().caches] == [builds.app_id]
    later = time.time() + 31 * prune.DAY
    with builds.database.write() as tx:
        deployment = tx.scalars(select(Deployment)).one()
        deployment.status = "building"
    assert pruner.look(later) == []
    with builds.database.write() as tx:
        tx.get_one(Deployment, deployment.id).status = "live"
    went = [(each.reference, each.reason) for each in pruner.look(later)]
    assert (None, "no build for 30 days") in went
    assert not cache.exists()


def test_a_build_is_refused_with_figures_when_the_disk_is_nearly_full(
    builds: Builds, start: Start
) -> None:
    start(disk_reserve=10**15)
    deployment = builds.fail(HELLO)
    assert deployment.error_code == "disk-full"
    assert "a build needs 1000000.0 GB (HYTHE_DISK_RESERVE)" in (deployment.error_cause or "")
    assert "`hythe disk`" in (deployment.error_fix or "")
    assert builds.containers() == []
