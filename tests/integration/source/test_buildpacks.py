"""Buildpacks of a source: chosen, fetched from real servers on loopback, pinned."""

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from gitservers import HttpServer, Upstream, http_server
from integration.source.place import Place, eventually
from sqlalchemy import select

from hythe.model import App, ChosenBuildpack, Deployment, Event, Source, Vault
from hythe.source.intake import Sent

pytestmark = pytest.mark.one_database("it is about servers and trees")

CLASSIC = {"bin/detect": "#!/bin/sh\n", "bin/compile": "#!/bin/sh\n"}


@pytest.fixture
def upstream(tmp_path: Path) -> Upstream:
    made = Upstream(tmp_path / "served", "pack")
    made.commit(CLASSIC, "First")
    made.git("tag", "v1")
    made.commit({"more": "later"}, "Second")
    return made


@pytest.fixture
def server(tmp_path: Path, upstream: Upstream) -> Iterator[HttpServer]:
    with http_server(tmp_path / "served") as server:
        yield server


def choose(place: Place, app: App, **columns: object) -> None:
    with place.database.write() as tx:
        tx.add(ChosenBuildpack(app_id=app.id, position=1, **columns))


def deploy(place: Place, app: App, files: dict[str, str]) -> tuple[Deployment, Source]:
    """Upload a source, and wait until it is queued or has failed."""
    archive = place.folder / "upload.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in {"app.txt": "x", **files}.items():
            (place.folder / "file").write_text(text)
            tar.add(place.folder / "file", name)
    taken = place.stage.upload(app.id, [archive.read_bytes()], "ada", Sent())
    eventually(lambda: place.row(taken).status != "fetching", "the fetch")
    with place.database.read() as session:
        source = session.get_one(Source, taken.source_id)
    return place.row(taken), source


def holds(place: Place, source: Source, number: int = 0) -> set[str]:
    """The files of a source's buildpack, as a build gets them."""
    folder = place.settings.home / source.folders[number + 1]
    return {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()}


def test_a_git_buildpack_is_pinned_by_its_commit(
    place: Place, upstream: Upstream, server: HttpServer
) -> None:
    app = place.app()
    url = f"{server.url}/pack.git"
    choose(place, app, kind="git", name=url, ref="v1")
    deployment, source = deploy(place, app, {"app.json": '{"buildpacks": [{"url": "a/b"}]}'})
    assert deployment.status == "queued", deployment.error_cause
    first = upstream.git("rev-parse", "v1")
    tree = upstream.git("rev-parse", "v1^{tree}")
    assert source.buildpacks == [
        {"kind": "git", "name": url, "ref": "v1", "commit": first, "tree": tree, "place": "group"}
    ]
    assert holds(place, source) == {"bin/detect", "bin/compile"}
    assert place.refs(app)[f"refs/hythe/buildpacks/{tree}"] == tree

    shutil.rmtree(place.settings.home / "sources" / str(app.id))  # laid out again, asking nobody
    server.stall = True
    with place.database.write() as tx:
        tx.poke(app.id)
    eventually(lambda: all((place.settings.home / f).is_dir() for f in source.folders), "folders")


def test_a_tarball_and_an_upload_are_pinned_by_their_files(
    place: Place, upstream: Upstream, server: HttpServer
) -> None:
    with tarfile.open(upstream.bare.with_name("pack.tgz"), "w:gz") as tar:
        tar.add(upstream.folder, "pack-main", filter=lambda e: None if ".git" in e.name else e)
    tree = upstream.git("rev-parse", "HEAD^{tree}")
    app = place.app()
    sent = place.stage.intake.keep_buildpack(
        app, [upstream.bare.with_name("pack.tgz").read_bytes()]
    )
    assert sent == tree
    vault = Vault.open(place.settings.key_file)
    server.login = "ada:secret"
    url = f"{server.url}/pack.tgz"
    choose(place, app, kind="archive", name=url, login=vault.seal("ada:secret"))
    _, source = deploy(place, app, {})
    assert [pin["tree"] for pin in source.buildpacks or ()] == [tree]
    assert "secret" not in str(source.buildpacks)


def test_buildpacks_that_nothing_needs_are_let_go_with_a_reason(
    place: Place, upstream: Upstream, server: HttpServer
) -> None:
    app = place.app()
    with tarfile.open(place.folder / "pack.tgz", "w:gz") as tar:
        (place.folder / "compile").write_text("#!/bin/sh\n")
        tar.add(place.folder / "compile", "bin/compile")
    packed = [(place.folder / "pack.tgz").read_bytes()]
    unused = place.stage.intake.keep_buildpack(app, packed)
    choose(place, app, kind="git", name=f"{server.url}/pack.git", ref=None)
    released, first = deploy(place, app, {"n": "1"})
    place.later.go_live(released)
    for number in (2, 3):
        upstream.commit({"more": str(number)}, "More")
        deployment, _ = deploy(place, app, {"n": str(number)})
        place.later.fail(deployment, "build")
    upstream.commit({"more": "4"}, "More")
    _, last = deploy(place, app, {"n": "4"})
    place.stage.intake.prune(app.id)

    def held() -> set[str]:
        return {ref.rpartition("/")[2] for ref in place.refs(app) if "/buildpacks/" in ref}

    assert held() == {first.trees[1], last.trees[1]}, "of a release, and on its way"
    with place.database.read() as session:
        events = session.scalars(select(Event).where(Event.kind == "disk.prune")).all()
    gone = {event.data["tree"]: event.data["reason"] for event in events}
    assert unused in gone and len(gone) == 3
    assert set(gone.values()) == {"no release, deployment or choice of the app needs it"}
    sent = place.stage.intake.keep_buildpack(app, packed)
    choose(place, app, kind="upload", name="mine", tree=sent)
    place.stage.intake.prune(app.id)
    assert unused in held(), "it was chosen"


@pytest.mark.parametrize(
    ("file", "text", "pin"),
    [
        ("app.json", '{"buildpacks": [{"url": "heroku/python"}]}', {"kind": "own",
         "name": "hythe/python"}),
        ("project.toml", '[[build.buildpacks]]\nuri = "./packs/a"', {"kind": "folder",
         "name": "packs/a"}),
        ("project.toml", '_.schema-version = "0.2"\n[[io.buildpacks.group]]\nid = "me/x"\n'
         '[io.buildpacks.group.script]\napi = "0.10"\ninline = "echo"', {"kind": "inline",
         "name": "me/x", "script": {"api": "0.10", "inline": "echo"}}),
    ],
)  # fmt: skip
def test_files_of_the_source_name_buildpacks(
    place: Place, file: str, text: str, pin: dict[str, object]
) -> None:
    _, source = deploy(place, place.app(), {file: text})
    assert source.buildpacks == [{**pin, "place": "group"}]


@pytest.mark.parametrize(
    ("path", "code", "cause"),
    [
        ("gone.git", "git-missing", "gone.git"),
        ("moved.tgz", "buildpack", "is a redirect, which is not followed"),
        ("bad.tgz", "bad-archive", "not a whole tar"),
    ],
)
def test_what_cannot_be_fetched_fails_with_cause_and_fix(
    place: Place, upstream: Upstream, server: HttpServer, path: str, code: str, cause: str
) -> None:
    server.redirects["/moved.tgz"] = "http://127.0.0.2/elsewhere.tgz"
    (upstream.bare.with_name("bad.tgz")).write_bytes(b"no archive")
    app = place.app()
    kind = "git" if path.endswith(".git") else "archive"
    choose(place, app, kind=kind, name=f"{server.url}/{path}")
    deployment, _ = deploy(place, app, {})
    assert (deployment.status, deployment.error_code) == ("failed", code)
    assert cause in (deployment.error_cause or "") and deployment.error_fix


def test_a_newer_deployment_ends_a_fetch_that_hangs(
    place: Place, upstream: Upstream, server: HttpServer
) -> None:
    app = place.app()
    server.stall = True
    choose(place, app, kind="git", name=f"{server.url}/pack.git")
    archive = place.folder / "a.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(upstream.folder / "more", "more")
    first = place.stage.upload(app.id, [archive.read_bytes()], "ada")
    second = place.stage.upload(app.id, [archive.read_bytes()], "ada")
    assert place.row(first).status == "superseded"
    assert place.row(second).status == "fetching"
