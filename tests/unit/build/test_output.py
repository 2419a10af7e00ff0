"""A build's lines on their way to the transcript."""

from pathlib import Path

import pytest

from hythe.build.output import LARGEST_LINE, Output
from hythe.errors import BuildOutput
from hythe.transcript import Transcript


def written(tmp_path: Path, *lines: str, secrets: tuple[str, ...] = ()) -> tuple[list[str], Output]:
    output = Output(Transcript(tmp_path / "log"), secrets)
    for line in lines:
        output.line(line)
    return Transcript(tmp_path / "log").read()[0].splitlines(), output


def test_steps_stay_and_the_rest_is_indented(tmp_path: Path) -> None:
    lines, _ = written(tmp_path, "-----> Step", "plain", "       indented")
    assert lines == ["-----> Step", "       plain", "       indented"]


def test_warnings_at_the_end_are_held_for_the_cause(tmp_path: Path) -> None:
    lines, output = written(tmp_path, " !     early", "more", " !     cause", " !     fix")
    assert lines == [" !     early", "       more"]
    assert output.take_warnings() == ["cause", "fix"]


def test_secrets_and_control_characters_do_not_get_through(tmp_path: Path) -> None:
    lines, _ = written(tmp_path, "\x1b[31mtoken hunter22\x1b[0m\x07", secrets=("hunter22", "a"))
    assert lines == ["       token [secret]"]


def test_half_a_secret_at_the_end_of_a_long_line_does_not_get_through(tmp_path: Path) -> None:
    lines, _ = written(tmp_path, "x" * (LARGEST_LINE - 4) + "hunter22", secrets=("hunter22",))
    assert "hunt" not in lines[0]


def test_a_progress_line_keeps_its_last_state_and_long_ones_end(tmp_path: Path) -> None:
    lines, _ = written(tmp_path, "1%\r50%\r100%", "x" * 10_000)
    assert lines[0] == "       100%"
    assert len(lines[1]) == LARGEST_LINE + 7


def test_each_line_of_a_secret_is_masked(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "log")
    key = "-----BEGIN KEY-----\nabcdefgh\nijk\n-----END KEY-----"
    output = Output(transcript, [key])
    for line in [*key.splitlines(), "the key abcdefgh is there"]:
        output.line(line)
    text = transcript.read()[0]
    assert "abcdefgh" not in text
    assert "the key [secret] is there" in text


def test_output_beyond_the_limit_ends_the_build(tmp_path: Path) -> None:
    output = Output(Transcript(tmp_path / "log"), limit=100)
    with pytest.raises(BuildOutput, match="more than 0 MB"):
        for _ in range(20):
            output.line("ten bytes.")
