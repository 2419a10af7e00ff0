"""bin/up --restart and a real router: it becomes the new program, or the old one serves on."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from setup import renewal
from setup.output import Problem
from setup.place import Place
from setup.programs import Program, status

from bench.installation import free_port, until
from hythe.route import selfsigned


@pytest.fixture
def router(place: Place, tmp_path: Path) -> Iterator[Callable[[int], Program]]:
    """Makes the program with so many workers; on one port, and one certificate."""
    (tmp_path / "table.json").write_text(json.dumps({"epoch": 1, "sequence": 1, "routes": []}))
    (tmp_path / "cert.pem").write_bytes(selfsigned.make())
    port, tls = free_port(), free_port()

    def make(workers: int) -> Program:
        command = [sys.executable, "-m", "hythe.route", "--listen", f"127.0.0.1:{port}"]
        command += ["--listen-tls", str(tls), "--certificate", str(tmp_path / "cert.pem")]
        command += ["--table", str(tmp_path / "table.json"), "--workers", str(workers)]
        answers = lambda: status(("127.0.0.1", port), "/") is not None  # noqa: E731
        return Program("router", tuple(command), answers, stop_seconds=10)

    yield make
    make(1).stop(place)


def workers(pid: int) -> set[str]:
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def test_it_becomes_the_new_program_once_and_again(
    place: Place, router: Callable[[int], Program]
) -> None:
    program = router(1)
    assert not renewal.renew(program, place, "the log")  # it does not run
    process = program.start(place)
    program.await_ready(place, process)
    for _ in range(2):
        before = workers(process.pid)
        assert renewal.renew(program, place, "the log")
        assert program.process(place) == process
        until(lambda before=before: workers(process.pid) - before and program.answers())
        until(lambda before=before: not workers(process.pid) & before)


def test_other_options_need_another_start(place: Place, router: Callable[[int], Program]) -> None:
    process = router(1).start(place)
    router(1).await_ready(place, process)
    assert not renewal.renew(router(2), place, "the log")
    assert process.alive()


def test_what_cannot_run_leaves_the_old_one(
    place: Place,
    router: Callable[[int], Program],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = router(1)
    process = program.start(place)
    program.await_ready(place, process)
    (tmp_path / "cert.pem").write_text("no certificate")
    monkeypatch.setattr(renewal, "SECONDS", 3.0)
    with pytest.raises(Problem, match="the old one serves on"):
        renewal.renew(program, place, "the log")
    assert process.alive() and program.answers()
    assert "upgrade refused" in program.log(place).read_text()
