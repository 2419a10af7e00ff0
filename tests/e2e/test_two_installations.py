"""Two installations on one machine do not disturb each other."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.installation import Installation, Project

pytestmark = [pytest.mark.docker, pytest.mark.e2e]


@pytest.fixture
def other(installation: Installation, tmp_path: Path) -> Iterator[Installation]:
    other = Installation(tmp_path / "other")
    try:
        other.up("--no-example")
        yield other
    finally:
        other.remove()


def test_same_app_name_in_two_installations(
    other: Installation, make_project: Callable[[str], Project], tmp_path: Path
) -> None:
    mine = make_project("wsgi-bare")
    mine.push()
    theirs = other.project(mine.app, "hello", tmp_path / "theirs")
    theirs.push()

    assert mine.get("/x").text == "Hello from /x\n"
    assert "Hello from Hythe" in theirs.get().text

    other.down()
    assert mine.get("/x").status == 200
