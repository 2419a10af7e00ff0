"""What bin/release of a classic buildpack prints."""

import pytest

from hythe.build.classic import Release
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
