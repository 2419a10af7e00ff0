"""Fixtures of the API's tests."""

from collections.abc import Iterator

import httpx
import pytest

from hythe.model import Database
from hythe.settings import Settings

from .live_api import ControlPlane, control_plane


@pytest.fixture
def plane(settings: Settings, database: Database) -> Iterator[ControlPlane]:
    with control_plane(settings, database) as plane:
        yield plane


@pytest.fixture
def api(plane: ControlPlane) -> Iterator[httpx.Client]:
    """A client whose token may do everything."""
    with plane.client() as client:
        yield client
