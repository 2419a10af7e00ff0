"""The set-up's own modules, and places for it to work in."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "bin"))

from setup.place import Place  # noqa: E402


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place.of({"HYTHE_HOME": str(tmp_path / "home")})
    place.make()
    return place
