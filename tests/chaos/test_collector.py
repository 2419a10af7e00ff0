"""A log collector that hangs: SIGSTOP, which no signal but SIGKILL and SIGCONT gets through to."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.installation import Installation, until

pytestmark = [pytest.mark.chaos, pytest.mark.docker]


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path / "home")
    try:
        installation.up("--no-example")
        yield installation
    finally:
        installation.remove()


def test_a_collector_that_hangs_is_replaced_and_no_line_is_lost(
    installation: Installation, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    project = installation.project("shop", "wsgi-bare", tmp_path / "shop")
    (project.folder / "Procfile").write_text(
        "web: (i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done) &"
        " exec python3 -m http.server $PORT --bind 0.0.0.0\n"
    )
    project.commit("Count")
    project.push()

    def numbers() -> list[int]:
        lines = project.hythe("logs", "-n", "10000", "-s", "app").splitlines()
        texts = [line.partition(": ")[2] for line in lines]
        return [int(text) for text in texts if text.isdecimal()]

    until(lambda: len(numbers()) > 10)
    hung, began = installation.pid("collector"), time.monotonic()
    os.kill(hung, signal.SIGSTOP)
    before = len(numbers())
    until(lambda: installation.pid("collector") != hung, 150)
    until(lambda: len(numbers()) > before, 30)
    found = numbers()
    assert found == list(range(len(found)))
    assert len(found) > before + 300  # those of the time in which it hung
    record_property("lines again after", f"{time.monotonic() - began:.0f} s")
