"""Orders, and buildpack.toml."""

from pathlib import Path

import pytest

from hythe.build.buildpack import Buildpack, Catalog, GroupMember, Order, catalog, read
from hythe.build.detect import offers
from hythe.build.launch import command_lines
from hythe.build.share import folder
from hythe.errors import BuildError, PlatformError


def make(name: str, order: Order = ()) -> Buildpack:
    return Buildpack(name, "1", name, (0, 10), Path("/nowhere"), order)


def member(text: str) -> GroupMember:
    return GroupMember(text.rstrip("?"), None, text.endswith("?"))


def group(text: str) -> tuple[GroupMember, ...]:
    return tuple(map(member, text.split()))


def expand(order: Order, *buildpacks: Buildpack) -> list[str]:
    found = Catalog({each.id: each for each in buildpacks}, order)
    return [" ".join(member.buildpack.id for member in members) for members in found.groups()]


def test_composites_expand_depth_first_with_the_tail_of_their_parent() -> None:
    composite = make("c", (group("x y"), group("z")))
    leaves = [make(name) for name in "abxyz"]
    assert expand((group("a c b"), group("b")), composite, *leaves) == ["a x y b", "a z b", "b"]


def test_a_buildpack_is_placed_once() -> None:
    composite = make("c", (group("a b"),))
    assert expand((group("a c"),), composite, make("a"), make("b")) == ["a b"]


def test_an_optional_composite_may_be_left_out() -> None:
    composite = make("c", (group("x"),))
    assert expand((group("a c?"),), composite, make("a"), make("x")) == ["a x", "a"]


def test_an_unknown_buildpack_is_named() -> None:
    with pytest.raises(BuildError, match="no buildpack other"):
        expand((group("other"),), make("a"))


def test_the_buildpacks_of_this_repository_can_be_read() -> None:
    found = catalog(folder("buildpacks"))
    assert [[m.buildpack.id for m in group] for group in found.groups()] == [["hythe/python"]]


def test_an_api_that_is_not_spoken_is_refused(tmp_path: Path) -> None:
    text = 'api = "0.2"\n[buildpack]\nid = "a/b"\nversion = "1"\n'
    (tmp_path / "buildpack.toml").write_text(text)
    with pytest.raises(PlatformError, match=r"API 0\.2"):
        read(tmp_path)


def test_a_version_at_the_top_of_a_require_is_an_error() -> None:
    with pytest.raises(BuildError, match="version"):
        offers({"requires": [{"name": "node", "version": "1"}]})


@pytest.mark.parametrize(
    ("process", "api", "line"),
    [
        ({"command": "run $PORT"}, (0, 8), "run $PORT"),
        ({"command": "run $X", "args": ["a b"]}, (0, 8), "run $X 'a b'"),
        ({"command": "run", "args": ["$X"], "direct": True}, (0, 8), "run '$X'"),
        ({"command": ["run", "$X"], "args": ["y"]}, (0, 9), "run '$X' y"),
        ({"command": ["bash", "-c", "run $X"]}, (0, 9), "run $X"),
        ({"command": ["run"], "working-dir": "/a b"}, (0, 9), "cd '/a b' && run"),
    ],
)
def test_processes_become_command_lines(
    process: dict[str, object], api: tuple[int, int], line: str
) -> None:
    document = {"processes": [{"type": "web", **process}]}
    assert command_lines(document, api) == {"web": line}


def test_direct_is_gone_since_api_0_9() -> None:
    process = {"type": "web", "command": ["x"], "direct": True}
    with pytest.raises(BuildError, match="direct"):
        command_lines({"processes": [process]}, (0, 9))
