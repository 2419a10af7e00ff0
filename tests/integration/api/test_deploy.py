"""Deploying sources, and what is sent along with them."""

import json

import httpx
import pytest
from builders import make_app
from sqlalchemy import select

from hythe.api.gate import JSON_LIMIT
from hythe.model import App, DeployKey, Deployment, Registry, Source
from hythe.transcript import Transcript

from .live_api import ControlPlane
from .test_deployments import tarball

IMAGE = {"type": "image", "image": "ghcr.io/me/shop:1.2"}


@pytest.fixture
def shop(plane: ControlPlane) -> App:
    with plane.database.write() as tx:
        return make_app(tx)


pytestmark = pytest.mark.usefixtures("shop")


def post(api: httpx.Client, body: object, query: str = "") -> httpx.Response:
    return api.post(f"/v1/apps/shop/deployments{query}", json=body)


def source(plane: ControlPlane) -> Source:
    with plane.database.read() as session:
        return session.scalars(select(Source).order_by(Source.id.desc())).first()  # type: ignore[return-value]


def test_an_image_is_queued_with_its_procfile_and_app_json(
    plane: ControlPlane, api: httpx.Client
) -> None:
    answer = post(api, {
        "source": IMAGE, "procfile": "web: serve\n",
        "app_json": {"env": {"A": "secret"}, "cron": [], "surprise": 1},
    })  # fmt: skip
    assert answer.status_code == 202
    deployment = answer.json()
    assert (deployment["kind"], deployment["status"]) == ("image", "queued")
    assert deployment["source"]["location"] == "ghcr.io/me/shop:1.2"
    assert deployment["description"] == "Deploy image ghcr.io/me/shop:1.2"
    row = source(plane)
    assert row.procfile == "web: serve\n"
    assert row.app_json is not None and b"secret" not in row.app_json
    said = Transcript.of(plane.settings, deployment["id"]).read()[0]
    assert "`cron` is not supported yet" in said
    assert "`surprise` is an unknown key" in said


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({}, "invalid-value", "source: Field required"),
        ({"source": {"type": "file"}}, "invalid-value", "source"),
        ({"source": {"type": "image", "image": "UPPER"}}, "invalid-value", "lower case"),
        ({"source": {"type": "image", "image": 7}}, "invalid-value", "source.image.image"),
        ({"source": IMAGE, "procfile": "web"}, "procfile", "line 1"),
        ({"source": IMAGE, "procfile": "#"}, "procfile", "declares nothing"),
        ({"source": IMAGE, "app_json": {"env": {"A": {"value": 1}}}}, "app-json", "env.A.value"),
        ({"source": IMAGE, "app_json": {"env": {"A": {}}}}, "missing-config", "requires A"),
        ({"source": {"type": "git", "url": "file:///etc"}}, "git-url", "file://"),
        ({"source": {"type": "git", "url": "ext::sh -c id"}}, "git-url", ""),
        ({"source": {"type": "git", "url": "https://h/x", "ref": "-x"}}, "git-url", "ref"),
        ({"source": {"type": "commit", "commit": "abcdef1"}}, "git-missing", "no commit abcdef1"),
        ({"source": IMAGE, "unknown": 1}, "invalid-value", "unknown"),
    ],
)
def test_bad_input_is_refused_and_leaves_nothing(
    plane: ControlPlane, api: httpx.Client, body: object, code: str, words: str
) -> None:
    answer = post(api, body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == code
    assert words in answer.json()["detail"]
    with plane.database.read() as session:
        assert session.scalars(select(Deployment)).all() == []


def test_json_over_its_own_limit_is_refused(api: httpx.Client) -> None:
    for kind in ("application/json", "Application/JSON; charset=utf-8"):
        body = json.dumps({"source": IMAGE, "procfile": "x" * JSON_LIMIT})
        headers = {"Content-Type": kind}
        answer = api.post("/v1/apps/shop/deployments", content=body, headers=headers)
        assert answer.status_code == 413


def test_a_form_brings_a_tarball_and_what_goes_along(
    plane: ControlPlane, api: httpx.Client
) -> None:
    files = {"source": ("source", tarball(**{"app.py": "x", "Procfile": "web: old"}))}
    data = {"procfile": "web: new\n", "app_json": json.dumps({"env": {}}), "message": "By form"}
    answer = api.post("/v1/apps/shop/deployments", files=files, data=data)
    assert answer.status_code == 202, answer.text
    assert answer.json()["source"]["message"] == "By form"
    row = source(plane)
    assert (row.kind, row.procfile) == ("tarball", "web: new\n")
    assert (plane.settings.home / row.path / "app.py").read_text() == "x"
    assert api.post("/v1/apps/shop/deployments", files={"other": b"x"}).status_code == 422


def test_app_json_of_the_files_is_read(plane: ControlPlane, api: httpx.Client) -> None:
    body = tarball(**{"app.json": json.dumps({"env": {"KEY": {"required": True}}})})
    headers = {"Content-Type": "application/gzip"}
    answer = api.post("/v1/apps/shop/deployments", content=body, headers=headers)
    assert answer.json()["code"] == "missing-config"
    assert "hythe config:set KEY=... -a shop" in answer.json()["fix"]
    api.patch("/v1/apps/shop/config", json={"vars": {"KEY": "v"}})
    answer = api.post("/v1/apps/shop/deployments", content=body, headers=headers)
    assert answer.status_code == 202


def test_waiting_answers_the_end(plane: ControlPlane, api: httpx.Client) -> None:
    with plane.carrying_out():
        answer = post(api, {"source": IMAGE}, "?wait")
    assert (answer.status_code, answer.json()["status"]) == (200, "live")
    assert answer.json()["last_lines"] == []
    with plane.carrying_out(("build", "It broke.", "Mend it.")):
        answer = post(api, {"source": IMAGE}, "?wait=30")
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
    assert answer.json()["error"] == {"code": "build", "cause": "It broke.", "fix": "Mend it."}
    assert answer.json()["last_lines"][-2:] == [" !     It broke.", " !     Mend it."]
    answer = post(api, {"source": IMAGE}, "?wait=1")
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")


def test_a_git_url_is_fetching_and_its_password_is_shown_nowhere(
    plane: ControlPlane, api: httpx.Client
) -> None:
    git = {"type": "git", "url": "http://ada:tok3n@127.0.0.1:1/x.git", "ref": "main"}
    deployment = post(api, {"source": git}, "?wait=20").json()
    assert deployment["error"]["code"] == "git-away"
    assert deployment["kind"] == "git"
    assert "tok3n" not in json.dumps(deployment)


def test_registries_keep_their_password(plane: ControlPlane, api: httpx.Client) -> None:
    body = {"host": "https://GHCR.io/", "username": "ada", "password": "s3cr3t", "verify": False}
    assert api.post("/v1/registries", json=body).status_code == 201
    api.post("/v1/registries", json={**body, "username": "eve"})
    listed = api.get("/v1/registries")
    assert [(one["host"], one["username"]) for one in listed.json()["items"]] == [
        ("ghcr.io", "eve")
    ]
    assert "s3cr3t" not in listed.text
    with plane.database.read() as session:
        assert b"s3cr3t" not in session.scalars(select(Registry.password)).one()
    assert api.delete("/v1/registries/ghcr.io").status_code == 204
    assert api.delete("/v1/registries/ghcr.io").json()["code"] == "not-found"
    assert api.post("/v1/registries", json={**body, "host": "a b"}).status_code == 422
    with plane.client("deploy") as other:
        assert other.get("/v1/registries").status_code == 403


def test_a_deploy_key_is_made_once_and_never_shows_its_private_half(
    plane: ControlPlane, api: httpx.Client
) -> None:
    path = "/v1/apps/shop/deploy-key"
    assert api.get(path).status_code == 404
    made = api.post(path)
    assert made.json()["public"].startswith("ssh-ed25519 ")
    assert made.json()["public"].endswith(" hythe-shop")
    assert api.post(path).json() == made.json() == api.get(path).json()
    assert api.post(f"{path}?rotate=true").json()["public"] != made.json()["public"]
    assert "PRIVATE" not in made.text
    with plane.database.read() as session:
        assert b"OPENSSH PRIVATE" not in session.scalars(select(DeployKey.private)).one()
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
