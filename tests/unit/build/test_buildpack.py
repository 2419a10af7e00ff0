"""Orders, and buildpack.toml."""

from pathlib import Path

import pytest

from hythe.build.buildpack import Buildpack, Catalog, GroupMember, Order, catalog, read
from hythe.build.detect import offers
from hythe.build.share import folder
from hythe.errors import BuildError
from hythe.suite import SUITES


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
    leading = [group[-1].buildpack.id for group in found.groups()]
    assert leading == ["hythe/python", "hythe/static", "hythe/node", "hythe/procfile"]


def test_an_api_that_is_not_spoken_is_refused(tmp_path: Path) -> None:
    text = 'api = "0.2"\n[buildpack]\nid = "a/b"\nversion = "1"\n'
    (tmp_path / "buildpack.toml").write_text(text)
    with pytest.raises(BuildError, match=r"API 0\.2"):
        read(tmp_path, "/cnb/x")


GOOD = 'api = "0.10"\n[buildpack]\nid = "a/b"\nversion = "1"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("api = ", "not valid TOML"),
        ('api = "0.10"', "no valid .buildpack. id"),
        (GOOD.replace("a/b", "a b"), "no valid .buildpack. id"),
        (GOOD.replace("a/b", "app"), "no valid .buildpack. id"),
        (GOOD, "has no bin/build"),
        (GOOD + '[[order]]\n[[order.group]]\nversion = "1"', "names no valid group"),
        (GOOD + '[[targets]]\nos = "windows"', "has no bin/build"),
    ],
)
def test_a_broken_buildpack_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "buildpack.toml").write_text(text)
    program(tmp_path / "bin" / "detect")
    with pytest.raises(BuildError, match=words) as raised:
        read(tmp_path, "/cnb/x", "https://example.com/x")
    assert raised.value.fix


def test_a_program_that_is_not_executable_is_named(tmp_path: Path) -> None:
    (tmp_path / "buildpack.toml").write_text(GOOD)
    program(tmp_path / "bin" / "detect")
    program(tmp_path / "bin" / "build").chmod(0o644)
    with pytest.raises(BuildError, match=r"bin/build of the buildpack a/b is not executable"):
        read(tmp_path, "/cnb/x")


@pytest.mark.parametrize(
    ("target", "fits"),
    [
        ('os = "linux"', True),
        ('arch = "sparc"', False),
        ('os = "windows"', False),
        ('[[targets.distros]]\nname = "debian"\nversion = "12"', True),
        ('[[targets.distros]]\nname = "ubuntu"\nversion = "24.04"', False),
    ],
)
def test_one_target_must_be_this_machines(tmp_path: Path, target: str, fits: bool) -> None:
    (tmp_path / "buildpack.toml").write_text(f"{GOOD}[[targets]]\n{target}\n")
    for name in ("detect", "build"):
        program(tmp_path / "bin" / name)
    if fits:
        assert read(tmp_path, "/cnb/x").key == "a/b@1"
    else:
        with pytest.raises(BuildError, match="a/b is for"):
            read(tmp_path, "/cnb/x")


def test_the_stack_that_a_target_is_for_is_named(tmp_path: Path) -> None:
    target = '[[targets]]\n[[targets.distros]]\nname = "debian"\nversion = "13"\n'
    (tmp_path / "buildpack.toml").write_text(GOOD + target)
    for name in ("detect", "build"):
        program(tmp_path / "bin" / name)
    assert read(tmp_path, "/cnb/x", suite=SUITES["trixie"]).key == "a/b@1"
    with pytest.raises(BuildError, match=r"a/b is for linux debian 13; .* debian 12") as raised:
        read(tmp_path, "/cnb/x")
    assert "BP_STACK=trixie" in raised.value.fix


def program(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_version_at_the_top_of_a_require_is_an_error() -> None:
    with pytest.raises(BuildError, match="version"):
        offers({"requires": [{"name": "node", "version": "1"}]})
