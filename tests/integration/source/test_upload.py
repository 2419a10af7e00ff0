"""Uploads of a tarball, and their likeness to pushes."""

import io
import tarfile
from pathlib import Path

import pytest
from integration.source.place import Place, eventually
from sqlalchemy import select

from hythe.errors import BadArchive, NotFound, TooLarge
from hythe.model import App, Deployment, Source, now
from hythe.source.intake import Sent


def tar_of(folder: Path) -> list[bytes]:
    """A folder as chunks of a tar.gz, with its .git."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        archive.add(folder, arcname=".")
    data = made.getvalue()
    return [data[at : at + 1000] for at in range(0, len(data), 1000)]


def test_upload_and_push_of_the_same_files_are_the_same_source(place: Place) -> None:
    app = place.app()
    copy = place.copy(app)
    (copy.folder / "link").symlink_to("lib/été.py")
    copy.commit({
        ".gitattributes": "*.md text\n", ".gitignore": "*.log\n", "lib/été.py": "x = 1\r\n",
        "run.sh": "#!/bin/sh\n",
    })  # fmt: skip
    (copy.folder / "run.sh").chmod(0o755)
    copy.commit()
    push = copy.push()
    place.later.go_live(place.later.claim())
    assert push.end() == 0, push.output
    uploaded = place.stage.upload(app.id, tar_of(copy.folder), "ada", Sent(message="By hand"))
    with place.database.read() as session:
        pushed, sent = session.scalars(select(Source).order_by(Source.id)).all()
    assert sent.tree == pushed.tree == copy.git("rev-parse", "HEAD^{tree}")
    assert sent.path == pushed.path
    assert (sent.kind, sent.commit, sent.ref, sent.message) == ("tarball", None, None, "By hand")
    assert (uploaded.kind, uploaded.status) == ("upload", "queued")
    assert uploaded.description == f"Deploy upload {sent.tree[:7]}"


def test_live_upload_keeps_its_tree_and_moves_no_branch(place: Place, tmp_path: Path) -> None:
    app = place.app()
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "debug.log").write_text("ignored by git, but sent")
    (tmp_path / "files" / ".gitignore").write_text("*.log")
    deployment = place.stage.upload(app.id, tar_of(tmp_path / "files"), "ada")
    with place.database.read() as session:
        source = session.get_one(Source, deployment.source_id)
    assert (place.settings.home / source.path / "debug.log").exists()
    place.later.go_live(place.later.claim())
    eventually(lambda: place.refs(app) == {"refs/hythe/v1": source.tree}, "the tree kept")


def test_upload_supersedes_a_waiting_one(place: Place, tmp_path: Path) -> None:
    app = place.app()
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a").write_text("a")
    first = place.stage.upload(app.id, tar_of(tmp_path / "files"), "ada")
    second = place.stage.upload(app.id, tar_of(tmp_path / "files"), "ada")
    assert place.row(first).status == "superseded"
    assert place.row(second).status == "queued"


def test_bad_upload_keeps_nothing(place: Place) -> None:
    app = place.app()
    place.settings.__dict__["upload_limit"] = 4096
    with pytest.raises(BadArchive):
        place.stage.upload(app.id, [b"nonsense" * 100], "ada")
    with pytest.raises(TooLarge):
        place.stage.upload(app.id, [bytes(5000)], "ada")
    with place.database.read() as session:
        assert session.scalars(select(Deployment)).all() == []
    assert list((place.settings.home / "sources" / str(app.id)).iterdir()) == []


def test_upload_to_a_destroyed_app_is_not_found(place: Place) -> None:
    app = place.app()
    with place.database.write() as tx:
        tx.get_one(App, app.id).destroyed_at = now()
    with pytest.raises(NotFound):
        place.stage.upload(app.id, [b""], "ada")
    with pytest.raises(NotFound):
        place.stage.upload(999, [b""], "ada")
