"""A HYTHE_HOME that is awkward to quote, and too long for a socket's address."""

from pathlib import Path

import pytest
from integration.source.place import Place

from hythe.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = tmp_path / 'it\'s "home" $HOME' / ("long" * 30)
    home.mkdir(parents=True)
    return Settings(home=home)


def test_awkward_home_takes_pushes(place: Place) -> None:
    copy = place.copy(place.app())
    copy.commit({"a": "x"})
    push = copy.push()
    place.later.go_live(place.later.claim())
    assert push.end() == 0, push.output
