"""Sockets in a HYTHE_HOME with a long name."""

import socket
from pathlib import Path

from hythe.route.control import ControlLink
from hythe.route.window import open_path
from hythe.run.routers import Routers
from hythe.socketpath import address


def test_a_router_dials_in_below_a_long_path(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120) / "run" / "control.sock"
    routers = Routers(path, lambda: None, lambda _: None)
    routers.start()
    opened: list[bool] = []
    try:
        link = ControlLink(path, dict, lambda _: None, lambda: opened.append(True))
        link.dial()
        assert opened == [True]
        assert path.stat().st_mode & 0o777 == 0o600
    finally:
        routers.stop()


def test_one_can_look_in_below_a_long_path(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120) / "router.sock"
    with open_path(path), socket.socket(socket.AF_UNIX) as reader, address(path) as here:
        reader.connect(here)
        assert path.stat().st_mode & 0o777 == 0o600
