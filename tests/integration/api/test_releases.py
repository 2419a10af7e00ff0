import httpx
import pytest
from builders import make_app, make_build, make_deployment, make_release

from hythe.model import App, Deployment
from hythe.transcript import Transcript

from .live_api import ControlPlane


@pytest.fixture(autouse=True)
def shop(plane: ControlPlane) -> None:
    """v1 and v2, which serves."""
    with plane.database.write() as tx:
        app = make_app(tx)
        make_release(
            tx, plane.vault, plane.settings, app,
            config={"GONE": "1", "SAME": "1", "OTHER": "old-secret"},
        )  # fmt: skip
        second = make_release(
            tx, plane.vault, plane.settings, app, version=2, image="sha256:two",
            processes={"web": "serve --fast", "worker": "work"},
            config={"NEW": "1", "SAME": "1", "OTHER": "new-secret"},
        )  # fmt: skip
        app.serving_id = make_deployment(tx, app, second).id


def test_releases_are_listed_newest_first(api: httpx.Client) -> None:
    items = api.get("/v1/apps/shop/releases").json()["items"]
    assert [(item["version"], item["serving"]) for item in items] == [(2, True), (1, False)]
    assert items[0]["processes"] == {"web": "serve --fast", "worker": "work"}


def test_a_diff_names_config_keys_and_keeps_values_secret(api: httpx.Client) -> None:
    answer = api.get("/v1/apps/shop/releases/1/diff", params={"to": 2})
    diff = answer.json()
    assert diff["image"] == {"before": "sha256:one", "after": "sha256:two"}
    assert diff["commit"] is None
    assert diff["processes"] == {
        "web": {"before": "serve", "after": "serve --fast"},
        "worker": {"before": None, "after": "work"},
    }
    assert diff["config_added"] == ["NEW"]
    assert diff["config_removed"] == ["GONE"]
    assert diff["config_changed"] == ["OTHER"]
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [("3", 404), ("0", 422), ("v1", 422), ("1/diff", 422), ("1/diff?to=3", 404), (str(2**70), 422)],
)
def test_unknown_versions(api: httpx.Client, path: str, status: int) -> None:
    assert api.get(f"/v1/apps/shop/releases/{path}").status_code == status


def test_builds_are_listed_shown_and_logged(plane: ControlPlane, api: httpx.Client) -> None:
    with plane.database.write() as tx:
        app = make_app(tx, "other")
        build = make_build(tx, app)
        deployment = make_deployment(tx, app)
        deployment.build_id = build.id
    Transcript.of(plane.settings, deployment.id).step("Python app detected")
    listed = api.get("/v1/apps/other/builds").json()["items"]
    assert [item["id"] for item in listed] == [build.id]
    assert api.get(f"/v1/apps/other/builds/{build.id}").json() == listed[0]
    log = api.get(f"/v1/apps/other/builds/{build.id}/log")
    assert log.text == "-----> Python app detected\n"
    assert api.get(f"/v1/apps/shop/builds/{build.id}").status_code == 404


def test_a_build_that_waits_has_a_place_and_is_canceled(
    plane: ControlPlane, api: httpx.Client
) -> None:
    with plane.database.write() as tx:
        app = make_app(tx, "other")
        done, waits = make_build(tx, app), make_build(tx, app)
        waits.status = "queued"
        waits.steps = []
        deployment = make_deployment(tx, app, status="queued")
        deployment.build_id = waits.id
    path = f"/v1/apps/other/builds/{waits.id}"
    assert api.get(path).json()["place"] == 1
    with plane.client("read") as reader:
        assert reader.post(f"{path}/cancel").status_code == 403
    asked = api.post(f"{path}/cancel")
    assert (asked.status_code, asked.json()["canceled_by"]) == (202, "tester")
    refused = api.post(f"/v1/apps/other/builds/{done.id}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert api.post("/v1/apps/shop/builds/99/cancel").status_code == 404


def test_a_release_says_what_was_counted_when_it_took_over(
    plane: ControlPlane, api: httpx.Client
) -> None:
    assert api.get("/v1/apps/shop/releases/2").json()["switch"] is None
    with plane.database.write() as tx:
        row = tx.get_one(Deployment, 1)
        row.switch_requests, row.switch_failed, row.switch_errors = 1204, 1, {"H13": 1}
    switch = {"requests": 1204, "failed": 1, "errors": {"H13": 1}, "ended_at": None}
    assert api.get("/v1/apps/shop/releases/2").json()["switch"] == switch
    assert api.get("/v1/apps/shop/deployments/1").json()["switch"] == switch


def test_a_release_that_takes_over_is_promoted_or_aborted(
    plane: ControlPlane, api: httpx.Client
) -> None:
    refused = api.post("/v1/apps/shop/releases/2/promote")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    with plane.database.write() as tx:
        app = tx.get_one(App, 1)
        release = make_release(tx, plane.vault, plane.settings, app, version=3)
        rolling = make_deployment(tx, app, release, "rolling").id
    assert api.post("/v1/apps/shop/releases/2/abort").status_code == 409
    assert api.post("/v1/apps/shop/releases/3/promote").json()["status"] == "rolling"
    with plane.database.read() as session:
        assert session.get_one(Deployment, rolling).promoted_at is not None
    ended = api.post("/v1/apps/shop/releases/3/abort").json()
    assert (ended["status"], ended["error"]["code"]) == ("failed", "aborted")
    assert "aborted v3" in Transcript.of(plane.settings, rolling).read()[0]
    assert api.post("/v1/apps/shop/releases/3/abort").status_code == 409
