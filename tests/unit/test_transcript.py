import threading
from pathlib import Path

import pytest

from hythe import transcript as module
from hythe.transcript import Transcript


def test_layout_is_herokus(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "new" / "1.log")
    transcript.step("Python app detected")
    transcript.detail("one\ntwo")
    transcript.warn("careful")
    transcript.done("deployed")
    assert transcript.path.read_text() == (
        "-----> Python app detected\n       one\n       two\n !     careful\n=====> deployed\n"
    )


def test_reading_stops_at_the_last_complete_line(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "1.log")
    transcript.path.write_text("one\ntw")
    text, offset = transcript.read()
    assert (text, offset) == ("one\n", 4)


def test_following_yields_every_line_until_the_end(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "1.log")
    over = threading.Event()

    def write() -> None:
        for number in range(500):
            transcript.raw(str(number))
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    lines = list(transcript.follow(over.is_set))
    writer.join()
    assert lines == [str(number) for number in range(500)]


def test_what_hythe_says_comes_after_any_amount_of_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chatty release phase must not swallow the cause, the fix and the end."""
    monkeypatch.setattr(module, "LARGEST", 1000)
    monkeypatch.setattr(module, "ROOM", 1000)
    transcript = Transcript(tmp_path / "1.log")
    for _ in range(100):
        transcript.detail("x" * 50)
    transcript.warn("It exited with 1.\nFix it.")
    transcript.done("deployed")
    assert transcript.path.read_text().splitlines()[-4:] == [
        " !     The output is too long; the rest is left out.",
        " !     It exited with 1.",
        " !     Fix it.",
        "=====> deployed",
    ]
    for _ in range(100):
        transcript.step("x" * 50)
    assert transcript.path.stat().st_size < 2200
