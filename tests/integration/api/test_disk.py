import httpx
import pytest
from builders import make_app

from hythe.build.disk import Share, Survey

from .live_api import ControlPlane


@pytest.fixture
def pruned(plane: ControlPlane) -> None:
    with plane.database.write() as tx:
        app = make_app(tx)
        tx.note("disk.prune", "Removed the build cache", app_id=app.id, bytes=7, reason="old")
    Survey(1_000_000.0, None, 30, {str(app.id): Share(2, 10, 20), "99": Share(1, 1, 1)}).save(
        plane.settings
    )


def test_disk_use_before_the_first_look(api: httpx.Client, plane: ControlPlane) -> None:
    use = api.get("/v1/disk").json()
    assert use["disks"][0]["folders"] == [str(plane.settings.home)]
    assert 0 < use["disks"][0]["free"] < use["disks"][0]["total"]
    assert (use["measured_at"], use["total"], use["apps"]) == (None, None, [])


@pytest.mark.usefixtures("pruned")
def test_disk_use_names_apps_and_what_was_pruned(api: httpx.Client) -> None:
    use = api.get("/v1/disk").json()
    share = {"app": "shop", "images": 2, "image_bytes": 10, "cache_bytes": 20}
    assert (use["total"], use["apps"]) == (30, [share])
    assert use["pruned"][0]["message"] == "Removed the build cache"
    assert (use["pruned"][0]["app"], use["pruned"][0]["bytes"]) == ("shop", 7)
