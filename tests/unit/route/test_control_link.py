"""The router follows the socket of whoever leads."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hythe.route.control import ControlLink


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield listener


def link_to(path: Path) -> ControlLink:
    link = ControlLink(path, lambda: {"type": "hello"}, lambda _: None, lambda: None)
    link.dial()
    return link


def test_it_hangs_up_when_another_has_taken_the_socket_s_place(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with listening(path):
        link = link_to(path)
        link.follow()
        assert link.link is not None
        with listening(path) as second:  # the first still listens, as a stopped process does
            link.follow()
            assert link.link is None
            link.dial()
            second.settimeout(1)
            assert second.accept()
            link.follow()
            assert link.link is not None
            link.close()


def test_a_socket_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with listening(path):
        link = link_to(path)
        path.unlink()
        link.follow()
        assert link.link is not None
        link.close()
