"""Chosen buildpacks told apart by their files, and what bin/release of classic ones prints."""

from pathlib import Path

import pytest

from hythe.build import chosen
from hythe.build.buildpack import Catalog, GroupMember
from hythe.build.classic import Release
from hythe.build.workspace import Workspace
from hythe.errors import BuildError


def test_process_types_and_config_are_read() -> None:
    text = "---\nconfig_vars:\n  A: 1\naddons:\n- db\ndefault_process_types:\n  web: run $PORT\n"
    read = Release.read(text, "x")
    assert (read.processes, read.env) == ({"web": "run $PORT"}, {"A": "1"})


@pytest.mark.parametrize("text", ["", "---\n", "--- {}\n", "addons: []\n"])
def test_it_may_say_nothing(text: str) -> None:
    assert Release.read(text, "x").processes == {}


@pytest.mark.parametrize(
    "text", ["- a\n", "a: [", "default_process_types: web", "default_process_types: {a b: c}",
             "config_vars: {A B: c}", "!!python/object:os.system x"],
)  # fmt: skip
def test_other_yaml_is_refused(text: str) -> None:
    with pytest.raises(BuildError, match="bin/release of x"):
        Release.read(text, "x")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "build")
    for folder in (made.app, made.buildpacks):
        folder.mkdir(parents=True)
    return made


def choose(workspace: Workspace, *pins: dict[str, str]) -> Catalog:
    own = Catalog({}, ((GroupMember("own/a"),), (GroupMember("own/b"),)))
    return chosen.choose(own, pins, workspace.folder.parent, workspace, 0)


def fixture(workspace: Workspace, *programs: str) -> None:
    folder = workspace.folder.parent / "tree"
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    for name in programs:
        (folder / "bin" / name).write_text("#!/bin/sh\n")
        (folder / "bin" / name).chmod(0o755)


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("https://github.com/heroku/heroku-buildpack-ruby.git", "heroku/heroku-buildpack-ruby"),
        ("git@example.com:me/pack.git", "me/pack"),
        ("http://127.0.0.1:80/pack", "pack"),
        ("sent", "sent"),
    ],
)
def test_a_classic_buildpack_is_named_by_its_place(
    workspace: Workspace, name: str, identity: str
) -> None:
    fixture(workspace, "detect", "compile")
    found = choose(workspace, {"kind": "git", "name": name, "tree": "tree", "commit": "c" * 40})
    assert found.order == ((GroupMember(identity),),)
    assert found.buildpacks[identity].classic
    assert found.buildpacks[identity].version == "c" * 12


def test_what_is_no_buildpack_is_refused_with_what_it_holds(workspace: Workspace) -> None:
    fixture(workspace, "detect")
    with pytest.raises(BuildError, match="is no buildpack: it holds bin"):
        choose(workspace, {"kind": "upload", "name": "mine", "tree": "tree"})


def test_a_folder_that_the_source_does_not_hold_is_refused(workspace: Workspace) -> None:
    (workspace.app / "out").symlink_to("/etc")
    for name in ("missing", "out"):
        with pytest.raises(BuildError, match="no folder of the source"):
            choose(workspace, {"kind": "folder", "name": name})


def test_pre_and_post_go_around_what_detection_chooses(workspace: Workspace) -> None:
    pre = {"kind": "own", "name": "x/pre@1", "place": "pre"}
    post = {"kind": "own", "name": "x/post", "place": "post"}
    before, after = GroupMember("x/pre", "1"), GroupMember("x/post")
    assert choose(workspace, pre, post).order == (
        (before, GroupMember("own/a"), after),
        (before, GroupMember("own/b"), after),
    )
