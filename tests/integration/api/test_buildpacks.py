"""The buildpacks of an app, through the API."""

import io
import tarfile

import httpx
import pytest
from builders import RESULT, make_app, make_release

from hythe.model import Build, ChosenBuildpack

from .live_api import ControlPlane

PATH = "/v1/apps/shop/buildpacks"


@pytest.fixture(autouse=True)
def shop(plane: ControlPlane) -> None:
    with plane.database.write() as tx:
        app = make_app(tx)
        release = make_release(tx, plane.vault, plane.settings, app)
        pin = {"kind": "git", "name": "https://example.com/p", "ref": "v1", "commit": "c" * 40}
        used = [{"id": "me/p", "version": "1", "pin": pin}, {"id": "hythe/apt", "version": "0"}]
        tx.get_one(Build, release.build_id).result = RESULT | {"buildpacks": used}


def names(answer: httpx.Response) -> list[str]:
    assert answer.is_success, answer.text
    return [one["buildpack"] for one in answer.json()["items"]]


def test_buildpacks_have_an_order(api: httpx.Client) -> None:
    git = "https://example.com/pack.git"
    assert names(api.get(PATH)) == []
    assert names(api.post(PATH, json={"buildpack": "hythe/python"})) == ["hythe/python"]
    answer = api.post(PATH, json={"buildpack": f"{git}#v1", "index": 1})
    assert names(answer) == [f"{git}#v1", "hythe/python"]
    replaced = api.post(PATH, json={"buildpack": "heroku/nodejs", "index": 2, "replace": True})
    assert names(replaced) == [f"{git}#v1", "hythe/node"]
    assert names(api.delete(f"{PATH}/1")) == ["hythe/node"]
    assert api.delete(PATH).status_code == 204
    assert names(api.get(PATH)) == []


def test_a_buildpack_is_sent_as_a_tarball(api: httpx.Client) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        entry = tarfile.TarInfo("bin/compile")
        entry.size, entry.mode = 2, 0o755
        tar.addfile(entry, io.BytesIO(b"#!"))
    kind = {"Content-Type": "application/gzip"}
    answer = api.post(f"{PATH}/upload?name=mine", content=file.getvalue(), headers=kind)
    assert names(answer) == ["mine"]
    assert len(answer.json()["items"][0]["digest"]) == 40
    bad = api.post(f"{PATH}/upload", content=b"x" * 600, headers=kind)
    assert bad.json()["code"] == "bad-archive"


def test_a_password_is_sealed_and_not_shown(plane: ControlPlane, api: httpx.Client) -> None:
    shown = names(api.post(PATH, json={"buildpack": "https://ada:secret@example.com/p.git"}))
    assert shown == ["https://example.com/p.git"]
    with plane.database.read() as session:
        row = session.query(ChosenBuildpack).one()
    assert row.login is not None and plane.vault.unseal(row.login) == "ada:secret"


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("hythe/cobol", "buildpack", "Choose one of: hythe/apt"),
        ("heroku/ruby", "buildpack", "https://github.com/heroku/heroku-buildpack-ruby"),
        ("/etc", "buildpack", "buildpacks:add PATH"),
        ("file:///etc", "buildpack", "file:// URLs are not allowed"),
        ("ext::sh -c id", "buildpack", "helper protocols"),
        ("https://example.com/a.git#-x", "buildpack", "is not a ref"),
        ("docker://x/y", "buildpack", "registry"),
    ],
)
def test_what_is_no_buildpack_is_refused(
    api: httpx.Client, text: str, code: str, words: str
) -> None:
    answer = api.post(PATH, json={"buildpack": text})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert words in answer.text


def test_the_same_twice_and_one_that_is_not_there(api: httpx.Client) -> None:
    api.post(PATH, json={"buildpack": "hythe/python"})
    assert api.post(PATH, json={"buildpack": "hythe/python"}).status_code == 409
    assert api.delete(f"{PATH}/2").status_code == 404


def test_builds_and_releases_say_what_they_were_made_with(api: httpx.Client) -> None:
    release = api.get("/v1/apps/shop/releases/1").json()
    build = api.get(f"/v1/apps/shop/builds/{release['build_id']}").json()
    assert release["buildpacks"] == build["buildpacks"]
    assert build["buildpacks"] == [
        {"id": "me/p", "version": "1", "source": "https://example.com/p#v1", "pinned": "c" * 40},
        {"id": "hythe/apt", "version": "0", "source": None, "pinned": None},
    ]
