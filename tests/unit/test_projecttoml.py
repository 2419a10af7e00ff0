"""project.toml, both versions of its schema."""

import pytest

from hythe.errors import BadBuildpack, ProjectTomlError
from hythe.projecttoml import Declared, ProjectToml
from hythe.source.buildpackref import declared

FIRST = b"""
[project]
id = "x"
[build]
exclude = ["*.md", "/docs/"]
[[build.buildpacks]]
id = "hythe/python"
version = "1"
[[build.buildpacks]]
uri = "https://example.com/x.git#v1"
[[build.buildpacks]]
id = "me/inline"
[build.buildpacks.script]
api = "0.10"
inline = "echo hello"
[[build.env]]
name = "KEY"
value = "some value"
"""
SECOND = b"""
[_]
schema-version = "0.2"
[io.buildpacks]
include = ["src/"]
[[io.buildpacks.group]]
id = "a"
[[io.buildpacks.pre.group]]
uri = "./before"
[[io.buildpacks.post.group]]
id = "after"
[[io.buildpacks.build.env]]
name = "KEY"
value = "v"
"""


def test_schema_0_1() -> None:
    read = ProjectToml.read(FIRST)
    assert read.buildpacks == (
        Declared("hythe/python", "1"),
        Declared(uri="https://example.com/x.git#v1"),
        Declared("me/inline", script={"api": "0.10", "inline": "echo hello"}),
    )
    assert (read.exclude, read.include) == (("*.md", "/docs/"), None)
    assert read.env == {"KEY": "some value"}


def test_schema_0_2() -> None:
    read = ProjectToml.read(SECOND)
    assert (read.pre, read.post) == ((Declared(uri="./before"),), (Declared("after"),))
    assert (read.buildpacks, read.include) == ((Declared("a"),), ("src/",))
    assert read.env == {"KEY": "v"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[build", "not valid TOML"),
        ("build = 1", "build is not a table"),
        ("[_]\nschema-version = '9'", "reads 0.1 and 0.2"),
        ("[[build.buildpacks]]\nversion = '1'", r"build.buildpacks\[0\] needs an `id`"),
        ("[[build.buildpacks]]\nid = 1", r"build.buildpacks\[0\].id is not a string"),
        ("[[build.buildpacks]]\nid = 'a'\nscript = {}", "needs `inline`"),
        ("[[build.env]]\nname = 'A B'\nvalue = ''", r"build.env\[0\] needs"),
        ("[build]\nexclude = ['a']\ninclude = ['b']", "both `include` and `exclude`"),
        ("[build]\nexclude = [1]", "not a list of strings"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    with pytest.raises(ProjectTomlError, match=words) as raised:
        ProjectToml.read(text.encode())
    assert raised.value.fix


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (Declared(uri="../outside"), "not in the source"),
        (Declared(uri="file:///etc"), "not in the source"),
        (Declared(uri="docker://x"), "registry"),
        (Declared(uri="https://a:b@example.com/x.git"), "holds a password"),
    ],
)
def test_a_source_names_no_buildpack_of_the_machine(one: Declared, words: str) -> None:
    with pytest.raises(BadBuildpack, match=words):
        declared(one)
