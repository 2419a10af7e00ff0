"""Manifests: an app made to match a document."""

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from hythe.model import App, ChosenBuildpack, Deployment, Release, Source

from .live_api import ControlPlane

IMAGE = {"type": "image", "image": "ghcr.io/me/shop:1.2"}
DOCUMENT: dict[str, Any] = {
    "name": "shop",
    "source": IMAGE,
    "processes": {"web": "serve", "worker": "work"},
    "env": {"GREETING": "Ahoy", "KEY": {"generator": "secret"}},
    "formation": {"web": {"quantity": 2}, "worker": {"quantity": 1}},
    "domains": ["shop.example.com"],
    "healthchecks": {"web": [{"path": "/up", "port": 8000}]},
}


def put(api: httpx.Client, document: dict[str, Any], dry_run: bool = False) -> dict[str, Any]:
    query = "?dry_run=true" if dry_run else ""
    answer = api.put(f"/v1/apps/shop/manifest{query}", json=document)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def changes(answer: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    return {each["path"]: (each["before"], each["after"]) for each in answer["changes"]}


def go_live(plane: ControlPlane) -> None:
    """Stand in for the stages: the newest deployment's release serves."""
    with plane.database.write() as tx:
        row = tx.scalars(select(Deployment).order_by(Deployment.id.desc())).first()
        assert row is not None
        if row.release_id is None:
            release = Release(
                app_id=row.app_id, version=1, description="", image="sha256:1", spec={},
                config=plane.vault.seal_map({}), source_id=row.source_id, created_by="test",
            )  # fmt: skip
            tx.add(release)
            tx.flush()
            row.release_id = release.id
        row.status, row.ended_at = "live", row.created_at
        tx.get_one(App, row.app_id).serving_id = row.id


def test_a_dry_run_shows_everything_and_makes_nothing(
    plane: ControlPlane, api: httpx.Client
) -> None:
    answer = put(api, DOCUMENT, dry_run=True)
    assert changes(answer) == {
        "app": (None, "shop"),
        "source": (None, "image ghcr.io/me/shop:1.2"),
        "processes.web": (None, "serve"),
        "processes.worker": (None, "work"),
        "healthchecks.web[0].path": ("/", "/up"),
        "healthchecks.web[0].port": (None, "8000"),
        "env.GREETING": (None, "[secret]"),
        "env.KEY": (None, "[secret]"),
        "formation.web": (None, "2"),
        "formation.worker": (None, "1"),
        "domains.shop.example.com": (None, "shop.example.com"),
    }
    assert (answer["dry_run"], answer["deployment"]) == (True, None)
    assert api.get("/v1/apps").json()["items"] == []


def test_an_app_is_made_and_then_there_is_nothing_to_change(
    plane: ControlPlane, api: httpx.Client
) -> None:
    deployment = put(api, DOCUMENT)["deployment"]
    assert (deployment["kind"], deployment["status"]) == ("image", "queued")
    config = api.get("/v1/apps/shop/config").json()["vars"]
    assert config["GREETING"] == "Ahoy" and len(config["KEY"]) == 64
    formation = api.get("/v1/apps/shop/formation").json()["items"]
    assert {one["process"]: one["quantity"] for one in formation} == {"web": 2, "worker": 1}
    assert put(api, DOCUMENT)["changes"] == []  # while it is under way
    go_live(plane)
    again = put(api, DOCUMENT)
    assert (again["changes"], again["deployment"]) == ([], None)
    assert api.get("/v1/apps/shop/config").json()["vars"] == config
    with plane.database.read() as session:
        assert len(session.scalars(select(Deployment)).all()) == 1
        row = session.scalars(select(Source)).one()
    assert row.procfile == "web: serve\nworker: work\n"


def test_what_a_section_does_not_name_goes(plane: ControlPlane, api: httpx.Client) -> None:
    put(api, DOCUMENT)
    go_live(plane)
    answer = put(
        api, {"env": {"GREETING": "Ahoy"}, "formation": {"web": {"quantity": 2}}, "domains": []}
    )
    assert changes(answer) == {
        "env.KEY": ("[secret]", None),
        "formation.worker": ("1", "0"),
        "domains.shop.example.com": ("shop.example.com", None),
    }
    assert answer["deployment"]["kind"] == "config"
    assert list(api.get("/v1/apps/shop/config").json()["vars"]) == ["GREETING"]


def test_a_section_that_is_not_there_is_left_alone(plane: ControlPlane, api: httpx.Client) -> None:
    put(api, DOCUMENT)
    go_live(plane)
    answer = put(api, {"formation": {"web": {"quantity": 3}, "worker": {"quantity": 1}}})
    assert changes(answer) == {"formation.web": ("2", "3")}
    assert answer["deployment"] is None


@pytest.fixture
def silent() -> Iterator[str]:
    """A server from which a fetch waits for its answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_buildpacks_and_the_stack_are_the_apps_own_choice(
    plane: ControlPlane, api: httpx.Client, silent: str
) -> None:
    git = "https://ada:secret@example.com/pack.git#v1"
    document: dict[str, Any] = {
        "source": {"type": "git", "url": f"{silent}/shop.git"},
        "buildpacks": [{"url": "heroku/nodejs"}, {"url": git}],
        "stack": "trixie",
    }
    answer = put(api, document)
    assert changes(answer)["buildpacks.1"] == (None, "hythe/node")
    assert changes(answer)["buildpacks.2"] == (None, "https://example.com/pack.git#v1")
    assert changes(answer)["stack"] == (None, "trixie")
    listed = api.get("/v1/apps/shop/buildpacks").json()["items"]
    assert [one["buildpack"] for one in listed] == ["hythe/node", "https://example.com/pack.git#v1"]
    assert api.get("/v1/apps/shop/config").json()["vars"] == {"BP_STACK": "trixie"}
    with plane.database.read() as session:
        row = session.scalars(select(ChosenBuildpack).where(ChosenBuildpack.position == 2)).one()
    assert row.login is not None and plane.vault.unseal(row.login) == "ada:secret"

    again = put(api, document)
    assert (again["changes"], again["deployment"]) == ([], None)
    fewer = put(api, {**document, "buildpacks": [{"url": git}]})
    assert set(changes(fewer)) == {"buildpacks.1", "buildpacks.2"}
    assert fewer["deployment"]["kind"] == "git", "it is built again with them"
    assert put(api, {"formation": {}})["changes"] == []
    assert changes(put(api, {"buildpacks": []})) == {
        "buildpacks.1": ("https://example.com/pack.git#v1", None)
    }
    assert api.get("/v1/apps/shop/buildpacks").json()["items"] == []


def test_another_source_is_one_deployment(plane: ControlPlane, api: httpx.Client) -> None:
    put(api, DOCUMENT)
    go_live(plane)
    other = {**DOCUMENT, "source": {"type": "image", "image": "ghcr.io/me/shop:1.3"}}
    other["env"] = {"GREETING": "Hello", "KEY": {"generator": "secret"}}
    answer = put(api, other)
    assert changes(answer) == {
        "source": ("image ghcr.io/me/shop:1.2", "image ghcr.io/me/shop:1.3"),
        "env.GREETING": ("[secret]", "[secret]"),
    }
    with plane.database.read() as session:
        assert len(session.scalars(select(Deployment)).all()) == 2


@pytest.mark.parametrize(
    ("document", "code", "words"),
    [
        ({"env": {"A": 1}}, "app-json", "env.A "),
        ({"source": {"type": "image"}}, "app-json", "source.image.image"),
        ({"source": {"type": "tarball"}}, "app-json", "source"),
        ({"processes": {"web": "x"}}, "app-json", "belongs to a source"),
        ({"source": IMAGE, "processes": {"web": "x"}, "procfile": "web: x"}, "app-json", "same"),
        ({"source": IMAGE, "processes": {"web": ""}}, "procfile", "processes.web"),
        ({"domains": ["no spaces"]}, "app-json", "no spaces"),
        ({"env": {"A": {"required": True}}}, "missing-config", "requires A"),
        ({"name": "other"}, "invalid-value", "'other', not 'shop'"),
        ({"formation": {"web": {"quantity": 101}}}, "invalid-value", "101"),
        ({"source": {"type": "git", "url": "ext::x"}}, "git-url", "ext"),
        ({"buildpacks": [{"url": "hythe/cobol"}]}, "buildpack", "hythe/cobol"),
        ({"buildpacks": [{"url": "hythe/apt"}, {"url": "hythe/apt"}]}, "buildpack", "twice"),
        ({"buildpacks": ["hythe/apt"]}, "app-json", "buildpacks[0]"),
        ({"stack": "jessie"}, "app-json", "'jessie'"),
        ({"stack": "trixie", "env": {"BP_STACK": "trixie"}}, "app-json", "say the same"),
    ],
)
def test_bad_documents_are_refused_with_the_path(
    plane: ControlPlane, api: httpx.Client, document: dict[str, Any], code: str, words: str
) -> None:
    answer = api.put("/v1/apps/shop/manifest", json=document)
    assert answer.json()["code"] == code, answer.text
    assert words in answer.json()["detail"]
    assert api.get("/v1/apps").json()["items"] == []


def test_unknown_keys_are_warned_of(api: httpx.Client) -> None:
    document = {"addons": [], "sauce": 1, "formation": {"web": {"quantity": 1, "size": "big"}}}
    warnings = put(api, document, dry_run=True)["warnings"]
    assert warnings == [
        "manifest: `addons` is not supported yet and was left out.",
        "manifest: `sauce` is an unknown key and was left out.",
        "manifest: `formation.web.size` is not supported yet and was left out.",
    ]


def test_a_deploy_token_may_not_apply(plane: ControlPlane) -> None:
    with plane.client("deploy") as api:
        assert api.put("/v1/apps/shop/manifest", json=DOCUMENT).status_code == 403
