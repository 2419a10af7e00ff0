"""What a push may carry, and how it is laid out."""

import os
import stat
import subprocess
from pathlib import Path

from integration.source.place import Place, Push, WorkingCopy, eventually
from sqlalchemy import select

from hythe.model import Deployment, Source


def deploy(place: Place, copy: WorkingCopy) -> tuple[Push, Path]:
    """Push main, let it go live; return the push and the folder of its files."""
    push = copy.push()
    deployment = place.later.claim()
    place.later.go_live(deployment)
    assert push.end() == 0, push.output
    with place.database.read() as session:
        source = session.get_one(Source, deployment.source_id)
    return push, place.settings.home / source.path


def refused(place: Place, copy: WorkingCopy) -> str:
    """Push main; return what the pusher saw of the refusal."""
    push = copy.push()
    assert push.end() == 1
    with place.database.read() as session:
        assert session.scalars(select(Deployment)).all() == []
    return push.output


def test_files_links_and_modes_are_laid_out_as_committed(place: Place) -> None:
    copy = place.copy(place.app())
    (copy.folder / "current").symlink_to("Grüße/été 1.txt")
    (copy.folder / "dangling").symlink_to("nowhere")
    copy.commit({"Grüße/été 1.txt": "ça\r\nva", "run.sh": "#!/bin/sh\n", "tab\tname": b"\0\xff"})
    (copy.folder / "run.sh").chmod(0o755)
    copy.commit()
    _, files = deploy(place, copy)
    assert (files / "Grüße" / "été 1.txt").read_bytes() == "ça\r\nva".encode()
    assert (files / "current").readlink() == Path("Grüße/été 1.txt")
    assert (files / "dangling").is_symlink()
    assert (files / "tab\tname").read_bytes() == b"\0\xff"
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in files.iterdir() if path.exists()
    }
    assert modes == {"Grüße": 0o755, "current": 0o644, "run.sh": 0o755, "tab\tname": 0o644}
    assert stat.S_IMODE(files.stat().st_mode) == 0o755


def test_pushed_attributes_run_nothing_and_change_nothing(place: Place) -> None:
    copy = place.copy(place.app())
    copy.git("config", "filter.evil.clean", "cat")
    copy.commit({
        ".gitattributes": "*.txt eol=crlf\n*.py ident filter=evil\n",
        "a.txt": "one\ntwo\n", "b.py": "# $Id$\n",
    })  # fmt: skip
    _, files = deploy(place, copy)
    assert (files / "a.txt").read_bytes() == b"one\ntwo\n"
    assert (files / "b.py").read_bytes() == b"# $Id$\n"


def test_link_out_of_the_source_is_refused(place: Place) -> None:
    app = place.app()
    for number, target in enumerate(["/etc/passwd", "../../up", "deep/up/../../out"]):
        copy = place.copy(app, f"copy{number}")
        (copy.folder / "deep" / "deeper").mkdir(parents=True)
        (copy.folder / "deep" / "up").symlink_to("..")
        (copy.folder / "bad").symlink_to(target)
        copy.commit({"deep/deeper/file": "x"})
        output = refused(place, copy)
        assert "The link bad points outside of the source." in output
        assert "(not taken in, nothing changed)" in output
    assert not any((place.settings.home / "sources" / str(app.id)).iterdir())


def test_submodules_and_lfs_pointers_are_warned_about(place: Place) -> None:
    copy = place.copy(place.app())
    pointer = (
        "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"
    )
    copy.commit({".gitattributes": "*.bin filter=lfs\n", "model.bin": pointer})
    head = copy.git("rev-parse", "HEAD")
    copy.git("update-index", "--add", "--cacheinfo", f"160000,{head},vendor/lib")
    copy.git("commit", "-q", "-m", "Add a submodule")
    push, files = deploy(place, copy)
    assert "!     Submodules stay empty, git does not push their files: vendor/lib" in push.output
    assert "!     Git LFS pointers, not the files that they stand for: model.bin" in push.output
    assert list((files / "vendor" / "lib").iterdir()) == []


def test_push_over_the_limit_is_refused_with_the_limit(place: Place) -> None:
    place.settings.__dict__["upload_limit"] = 2 * 2**20
    copy = place.copy(place.app())
    copy.commit({"big": os.urandom(9 * 2**20)})
    output = refused(place, copy)
    assert "!     The push is over 2.0 MiB." in output
    assert "HYTHE_UPLOAD_LIMIT" in output
    assert "[remote rejected] main -> main (unpacker error)" in output


def test_files_over_the_limit_are_refused_however_small_the_push(place: Place) -> None:
    place.settings.__dict__["upload_limit"] = 2 * 2**20
    copy = place.copy(place.app())
    copy.commit({"zeros": bytes(3 * 2**20)})
    output = refused(place, copy)
    assert "The files are over the limit of 2.0 MiB." in output
    assert "HYTHE_UPLOAD_LIMIT" in output


def test_tree_that_stands_for_billions_of_files_is_refused(place: Place) -> None:
    copy = place.copy(place.app())
    copy.commit({"a": "x"})
    tree = copy.git("rev-parse", "HEAD^{tree}")
    for _ in range(10):
        tree = _tree_of(copy, "".join(f"040000 tree {tree}\td{n}\n" for n in range(10)))
    commit = copy.git("commit-tree", "-m", "bomb", tree)
    copy.git("update-ref", "refs/heads/main", commit)
    assert "holds more than 100000 files and folders" in refused(place, copy)


def test_broken_tree_is_refused_by_git(place: Place) -> None:
    copy = place.copy(place.app())
    copy.commit({"a": "x"})
    blob = copy.git("rev-parse", "HEAD:a")
    tree = _tree_of(copy, f"100644 blob {blob}\t.git\n")
    copy.git("update-ref", "refs/heads/main", copy.git("commit-tree", "-m", "bad", tree))
    assert "hasDotgit" in refused(place, copy)


def test_megabytes_arrive_in_chunks_and_are_fetched_again(place: Place, tmp_path: Path) -> None:
    app = place.app()
    copy = place.copy(app)
    content = os.urandom(5 * 2**20)
    copy.commit({"big": content})
    _, files = deploy(place, copy)
    assert (files / "big").read_bytes() == content
    for number in range(40):  # enough to make the client's next request one that is gzipped
        copy.commit({"n": str(number)})
    deploy(place, copy)
    subprocess.run(
        ["git", "clone", "-q", f"{place.url}/{app.name}.git", "clone"],
        cwd=tmp_path, env=copy.environment, check=True, timeout=20,
    )  # fmt: skip
    assert (tmp_path / "clone" / "big").read_bytes() == content
    for number in range(40):
        copy.commit({"n": str(number + 100)})
    deploy(place, copy)
    subprocess.run(["git", "pull", "-q"], cwd=tmp_path / "clone", env=copy.environment, check=True)
    assert (tmp_path / "clone" / "n").read_text() == "139"


def test_shallow_clone_is_told_to_fetch_the_rest(place: Place, tmp_path: Path) -> None:
    copy = place.copy(place.app())
    copy.commit({"a": "1"})
    copy.commit({"a": "2"})
    copy.git("clone", "-q", "--depth=1", f"file://{copy.folder}", str(tmp_path / "shallow"))
    copy.folder = tmp_path / "shallow"
    copy.git("remote", "add", "hythe", f"{place.url}/shop.git")
    assert "shallow update not allowed" in refused(place, copy)


def test_old_snapshots_are_removed(place: Place) -> None:
    app = place.app()
    copy = place.copy(app)
    for number in range(6):
        copy.commit({"a": str(number)})
        _, files = deploy(place, copy)
    root = place.settings.home / "sources" / str(app.id)
    eventually(lambda: len(list(root.iterdir())) == 3, "three snapshots")
    assert files.exists()


def _tree_of(copy: WorkingCopy, listing: str) -> str:
    made = subprocess.run(
        ["git", "mktree"], cwd=copy.folder, env=copy.environment, input=listing.encode(),
        capture_output=True, check=True,
    )  # fmt: skip
    return made.stdout.decode().strip()


def test_app_json_is_read_before_anything_is_built(place: Place) -> None:
    copy = place.copy(place.app())
    copy.commit({"app.json": '{"env": {"KEY": {"description": "of the shop"}}}'})
    output = refused(place, copy)
    assert "app.json requires KEY, without a value so far (of the shop)." in output
    assert "hythe config:set KEY=... -a shop" in output
    copy.commit({"app.json": '{"env": {"KEY": {"value": 1}}}'})
    assert "app.json: env.KEY.value should be a valid string." in refused(place, copy)
    copy.commit({"app.json": "{"})
    assert "app.json is not valid JSON (line 1)." in refused(place, copy)
    copy.commit({"app.json": '{"cron": [], "odd": 1}'})
    push, _ = deploy(place, copy)
    assert "`cron` is not supported yet" in push.output
    assert "`odd` is an unknown key" in push.output


def test_app_json_may_be_a_link_inside_or_a_folder(place: Place) -> None:
    copy = place.copy(place.app())
    (copy.folder / "app.json").symlink_to("config/app.json")
    copy.commit({"config/app.json": '{"env": {"A": {}}}'})
    assert "requires A" in refused(place, copy)
    (copy.folder / "app.json").unlink()
    copy.commit({"app.json/file": "x"})
    deploy(place, copy)
