"""Layers: flags, and files that a build left as traps."""

import os
from pathlib import Path

import pytest

from hythe.build.layers import collect, read_files, read_inside, require_image_files, write_inside
from hythe.errors import BuildError


def declare(folder: Path, name: str, text: str, *, make: bool = True) -> None:
    (folder / f"{name}.toml").write_text(text)
    if make:
        (folder / name).mkdir()


def test_layers_with_a_type_are_collected_by_name(tmp_path: Path) -> None:
    declare(tmp_path, "b", "[types]\nlaunch = true\n[metadata]\nkey = 'x'\n")
    declare(tmp_path, "a", "[types]\ncache = true\n")
    declare(tmp_path, "unused", "[metadata]\nkey = 'x'\n")
    (tmp_path / "launch.toml").write_text("")
    found = collect(tmp_path)
    assert [(layer.name, layer.launch, layer.cache) for layer in found] == [
        ("a", False, True),
        ("b", True, False),
    ]
    assert found[1].metadata == {"key": "x"}


def test_flags_at_the_top_level_are_an_error(tmp_path: Path) -> None:
    declare(tmp_path, "a", "launch = true\n")
    with pytest.raises(BuildError, match="top level"):
        collect(tmp_path)


def test_a_declared_layer_needs_its_folder(tmp_path: Path) -> None:
    declare(tmp_path, "a", "[types]\nlaunch = true\n", make=False)
    with pytest.raises(BuildError, match="made no folder"):
        collect(tmp_path)


def test_a_layer_that_is_a_link_is_refused(tmp_path: Path) -> None:
    declare(tmp_path, "a", "[types]\nlaunch = true\n", make=False)
    (tmp_path / "a").symlink_to("/etc")
    with pytest.raises(BuildError, match="made no folder"):
        collect(tmp_path)


def test_reading_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "file").symlink_to(tmp_path / "secret")
    (tmp_path / "folder").symlink_to("/etc")
    for name in ("file", "folder/hostname"):
        with pytest.raises(BuildError):
            read_inside(tmp_path, name, 100)
    assert read_files(tmp_path, "folder") == {}


def test_reading_is_bounded_and_does_not_hang_on_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "large").write_text("x" * 101)
    os.mkfifo(tmp_path / "pipe")
    for name in ("large", "pipe"):
        with pytest.raises(BuildError):
            read_inside(tmp_path, name, 100)


def test_a_layer_holds_nothing_that_an_image_cannot_have(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("/usr/bin/python3")
    require_image_files(tmp_path, "a/b", ("/platform",))
    (tmp_path / "config").symlink_to("/platform/env/KEY")
    with pytest.raises(BuildError, match="config in the layer a/b is a link to /platform/env/KEY"):
        require_image_files(tmp_path, "a/b", ("/platform",))
    (tmp_path / "config").unlink()
    os.mkfifo(tmp_path / "bin" / "pipe")
    with pytest.raises(BuildError, match="bin/pipe in the layer a/b is a device, a pipe"):
        require_image_files(tmp_path, "a/b", ("/platform",))


def test_a_file_is_not_written_through_what_a_build_left(tmp_path: Path) -> None:
    (tmp_path / "host").write_text("of the host")
    (tmp_path / "plan.toml").symlink_to(tmp_path / "host")
    write_inside(tmp_path, "plan.toml", "plan", 0o666)
    assert (tmp_path / "host").read_text() == "of the host"
    assert (tmp_path / "plan.toml").read_text() == "plan"
    assert (tmp_path / "plan.toml").lstat().st_mode & 0o777 == 0o666
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(BuildError, match="cannot be written"):
        write_inside(tmp_path, "folder.toml", "plan")
