from pathlib import Path

import pytest

from .conftest import Hythe

pytestmark = pytest.mark.usefixtures("shop")
GIT = "https://example.com/pack.git#v1"


def test_buildpacks_are_added_set_and_removed(hythe: Hythe, folder: Path) -> None:
    assert "detection chooses" in hythe("buildpacks").out
    (folder / "mine" / "bin").mkdir(parents=True)
    (folder / "mine" / "bin" / "compile").write_text("#!/bin/sh\n")
    added = hythe("buildpacks:add", "./mine")
    assert added.code == 0, added.err
    assert "1. mine  (" in added.out and "The next deploy of shop builds with it" in added.out
    assert "1. https://example.com" in hythe("buildpacks:add", GIT, "--index", "1").out
    assert "1. hythe/python" in hythe("buildpacks:set", "hythe/python").out
    assert hythe("buildpacks").out.splitlines()[1:][0] == "1. hythe/python"
    assert "1. hythe/python" in hythe("buildpacks:remove", "mine").out
    assert hythe("buildpacks:remove", "mine").code == 1
    assert hythe("buildpacks:remove").code == 2
    assert hythe("buildpacks:clear").code == 0
    assert "detection chooses" in hythe("buildpacks").out
    assert "There is no nowhere" in hythe("buildpacks:add", "./nowhere").err
