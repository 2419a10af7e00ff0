import gzip
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from builders import make_app, make_deployment, make_release

from hythe.model import App, Deployment, now, supersede
from hythe.settings import Settings
from hythe.transcript import Transcript

from .live_api import ControlPlane


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, upload_limit=2 * 1024 * 1024)


@pytest.fixture
def shop(plane: ControlPlane) -> App:
    """v1 and v2 with other config; v2 serves."""
    with plane.database.write() as tx:
        app = make_app(tx)
        for version, config in ((1, {"A": "1"}), (2, {})):
            release = make_release(
                tx, plane.vault, plane.settings, app, version=version, config=config
            )
            app.serving_id = make_deployment(tx, app, release).id
        return app


def tarball(**files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def upload(
    api: httpx.Client, content: bytes | Iterator[bytes], kind: str = "application/gzip"
) -> httpx.Response:
    headers = {"Content-Type": kind}
    return api.post("/v1/apps/shop/deployments", content=content, headers=headers)


def events(answer: httpx.Response) -> Iterator[tuple[str, str]]:
    kind = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, line.removeprefix("data: ")


@pytest.mark.usefixtures("shop")
def test_an_upload_is_queued(plane: ControlPlane, api: httpx.Client) -> None:
    bell = plane.database.subscribe()
    answer = upload(api, tarball(app="print()"))
    assert answer.status_code == 202
    deployment = answer.json()
    assert (deployment["kind"], deployment["status"]) == ("upload", "queued")
    assert deployment["source"]["kind"] == "tarball"
    assert deployment["created_by"] == "tester"
    assert bell.wait(5)
    assert deployment.pop("last_lines") == []
    assert api.get(f"/v1/apps/shop/deployments/{deployment['id']}").json() == deployment


@pytest.mark.usefixtures("shop")
def test_an_upload_of_another_media_type_is_refused(api: httpx.Client) -> None:
    assert upload(api, b"{}", "application/json").status_code == 422


@pytest.mark.usefixtures("shop")
def test_an_upload_that_is_no_tarball_is_refused(api: httpx.Client) -> None:
    answer = upload(api, gzip.compress(b"hello"))
    assert answer.status_code == 422
    assert answer.json()["code"] == "bad-archive"


@pytest.mark.usefixtures("shop")
def test_an_upload_over_the_limit_is_refused(plane: ControlPlane, api: httpx.Client) -> None:
    answer = upload(api, bytes(plane.settings.upload_limit + 1))
    assert answer.status_code == 413
    assert answer.json()["code"] == "too-large"


@pytest.mark.usefixtures("shop")
def test_an_upload_over_the_limit_of_undeclared_length_is_refused(
    plane: ControlPlane, api: httpx.Client
) -> None:
    block = bytes(65536)
    answer = upload(api, (block for _ in range(plane.settings.upload_limit // 65536 + 2)))
    assert answer.status_code == 413
    assert answer.json()["code"] == "too-large"
    assert len(api.get("/v1/apps/shop/deployments").json()["items"]) == 2


def test_an_upload_to_no_app_is_refused(api: httpx.Client) -> None:
    assert upload(api, tarball(app="print()")).status_code == 404


@pytest.mark.usefixtures("shop")
def test_a_rollback_says_which_config_changes(plane: ControlPlane, api: httpx.Client) -> None:
    answer = api.post("/v1/apps/shop/rollback", json={})
    assert answer.status_code == 202
    assert answer.json()["changed_config"] == ["A"]
    assert answer.json()["deployment"]["release"] == 3
    release = api.get("/v1/apps/shop/releases/3").json()
    assert (release["repeats"], release["description"]) == (1, "Rollback to v1")


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"version": 9}, 404),
        ({"version": 0}, 422),
        ({"version": "v1"}, 422),
        ({"version": 2**40}, 422),
        ({"versoin": 1}, 422),
    ],
)
def test_rollbacks_to_nowhere_are_refused(
    plane: ControlPlane, api: httpx.Client, body: object, status: int
) -> None:
    assert api.post("/v1/apps/shop/rollback", json=body).status_code == status
    assert plane.versions() == [1, 2]


@pytest.mark.usefixtures("shop")
def test_redeploy_and_restart(plane: ControlPlane, api: httpx.Client) -> None:
    redeployed = api.post("/v1/apps/shop/redeploy", json={"version": 1}).json()
    assert (redeployed["kind"], redeployed["release"]) == ("redeploy", 3)
    assert plane.versions() == [1, 2, 3]
    assert api.post("/v1/apps/shop/restart").status_code == 409  # while that is under way


def test_restart(plane: ControlPlane, api: httpx.Client, shop: App) -> None:
    restarted = api.post("/v1/apps/shop/restart").json()
    assert (restarted["kind"], restarted["release"]) == ("restart", 2)
    assert plane.versions() == [1, 2]


def test_what_never_ran_cannot_be_restarted_or_rolled_back(api: httpx.Client) -> None:
    api.post("/v1/apps", json={"name": "shop"})
    for verb in ("restart", "rollback"):
        answer = api.post(f"/v1/apps/shop/{verb}", json={})
        assert answer.status_code == 409
    assert api.post("/v1/apps/shop/redeploy", json={}).status_code == 404


def test_deployments_are_listed_newest_first(api: httpx.Client, shop: App) -> None:
    items = api.get("/v1/apps/shop/deployments").json()["items"]
    assert [item["release"] for item in items] == [2, 1]
    assert len(api.get("/v1/apps/shop/deployments?limit=1").json()["items"]) == 1
    assert api.get("/v1/apps/shop/deployments?limit=0").status_code == 422


def test_another_apps_deployment_is_not_found(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    with plane.database.write() as tx:
        other = make_deployment(tx, make_app(tx, "other"))
    for path in ("", "/log", "/follow"):
        assert api.get(f"/v1/apps/shop/deployments/{other.id}{path}").status_code == 404


def test_the_transcript_is_text(plane: ControlPlane, api: httpx.Client, shop: App) -> None:
    assert shop.serving_id is not None
    Transcript.of(plane.settings, shop.serving_id).step("Python app detected")
    answer = api.get(f"/v1/apps/shop/deployments/{shop.serving_id}/log")
    assert answer.text == "-----> Python app detected\n"
    assert answer.headers["content-type"].startswith("text/plain")


def test_a_follower_gets_lines_as_they_come_and_then_the_end(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    with plane.database.write() as tx:
        deployment = make_deployment(tx, shop, status="building")
    transcript = Transcript.of(plane.settings, deployment.id)
    transcript.step("one")
    seen_one = threading.Event()

    def stage() -> None:
        assert seen_one.wait(10)
        transcript.step("two")
        with plane.database.write() as tx:
            row = tx.get_one(Deployment, deployment.id)
            row.status, row.ended_at = "failed", now()
            row.error_code, row.error_cause, row.error_fix = "build", "It broke.", "Mend it."

    worker = threading.Thread(target=stage)
    worker.start()
    got = []
    with api.stream("GET", f"/v1/apps/shop/deployments/{deployment.id}/follow") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for event in events(answer):
            got.append(event)
            seen_one.set()
    worker.join()
    assert got[:2] == [("line", "-----> one"), ("line", "-----> two")]
    kind, document = got[2]
    assert kind == "end"
    assert json.loads(document)["status"] == "failed"
    assert json.loads(document)["error"]["fix"] == "Mend it."


def test_followers_hold_no_threads(plane: ControlPlane, api: httpx.Client, shop: App) -> None:
    with plane.database.write() as tx:
        deployment = make_deployment(tx, shop, status="building")
    Transcript.of(plane.settings, deployment.id).step("one")
    path = f"/v1/apps/shop/deployments/{deployment.id}/follow"
    limits = httpx.Limits(max_connections=200)
    client = httpx.Client(base_url=plane.url, headers=api.headers, limits=limits, timeout=20)
    with client:
        streams = [client.stream("GET", path) for _ in range(60)]
        for stream in streams:
            next(stream.__enter__().iter_lines())
        assert api.get("/v1/apps").status_code == 200
        for stream in streams:
            stream.__exit__(None, None, None)


def test_a_deployment_names_the_one_that_carries_its_code_on(
    plane: ControlPlane, api: httpx.Client, shop: App
) -> None:
    """A config var that was set during its rollout, say; by a push of other code it has none."""
    with plane.database.write() as tx:
        app = tx.get_one(App, shop.id)
        release = make_release(tx, plane.vault, plane.settings, app, version=3)
        old = make_deployment(tx, app, release, "rolling")
        other = make_deployment(tx, app, status="queued")
        old.source_id = release.source_id
        heir = Deployment(
            app_id=app.id,
            kind="config",
            status="built",
            source_id=old.source_id,
            created_by="me",
        )
        supersede(tx, [old], heir)
        push = Deployment(app_id=app.id, kind="push", created_by="me")
        supersede(tx, [other], push)
    found = {one["id"]: one for one in api.get("/v1/apps/shop/deployments").json()["items"]}
    assert found[old.id]["heir"] == heir.id
    assert found[other.id]["heir"] is None
    assert found[heir.id]["heir"] is None
