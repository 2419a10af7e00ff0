"""The tar writer, read by Python's tarfile."""

import io
import os
import tarfile
from pathlib import Path

from hythe.build.tarball import MTIME, TarFile, end, tar_of, tar_of_parts, tar_of_tree


def opened(*pieces: bytes) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(b"".join(pieces)))


def test_a_tree_arrives_as_it_is(tmp_path: Path) -> None:
    long = "d" * 90
    (tmp_path / long / long).mkdir(parents=True)
    (tmp_path / long / long / "file").write_bytes(b"x" * 1000)
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "käse").write_text("")
    (tmp_path / "link").symlink_to("t" * 120)
    os.mkfifo(tmp_path / "pipe")
    with opened(*tar_of_tree(tmp_path, "/layers/a", 1000), end()) as tar:
        members = {member.name: member for member in tar}
        content = tar.extractfile(f"layers/a/{long}/{long}/file")
        assert content and content.read() == b"x" * 1000
    assert sorted(members) == sorted(
        ["layers", "layers/a", f"layers/a/{long}", f"layers/a/{long}/{long}",
         f"layers/a/{long}/{long}/file", "layers/a/run.sh", "layers/a/käse", "layers/a/link"]
    )  # fmt: skip
    assert members["layers/a/run.sh"].mode == 0o755
    assert members["layers/a/link"].linkname == "t" * 120
    assert {member.mtime for member in members.values()} == {MTIME}
    assert (members["layers/a/run.sh"].uid, members["layers"].uid) == (1000, 0)


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    for name in ("a", "b"):
        (tmp_path / "one" / name).write_text(name)
    for name in ("b", "a"):
        (tmp_path / "two" / name).write_text(name)
    one, two = (b"".join(tar_of_tree(tmp_path / name, "/x", 1)) for name in ("one", "two"))
    assert one == two


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "etc").symlink_to("/etc")
    with opened(*tar_of_tree(tmp_path, "/x", 1), end()) as tar:
        assert tar.getnames() == ["x", "x/etc"]


def test_single_files_bring_their_folders() -> None:
    with opened(*tar_of([TarFile("/a/b/c", b"text", 0o755), TarFile("/a/d", b"")])) as tar:
        assert tar.getnames() == ["a", "a/b", "a/b/c", "a/d"]


def test_parts_of_a_tree_and_the_rest_are_the_whole(tmp_path: Path) -> None:
    for name in ("a/one", "a/two", "b/deep/three", "four"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    parts = frozenset({"a/one", "b/deep"})
    with opened(*tar_of_parts(tmp_path, "/x", 1, parts), end()) as tar:
        assert tar.getnames() == ["x", "x/a", "x/a/one", "x/b", "x/b/deep", "x/b/deep/three"]
    with opened(*tar_of_tree(tmp_path, "/x", 1, parts), end()) as tar:
        assert tar.getnames() == ["x", "x/a", "x/a/two", "x/b", "x/four"]
