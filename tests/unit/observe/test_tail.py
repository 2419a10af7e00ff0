"""Tailing real files that are rotated, truncated, torn and replaced."""

from pathlib import Path

import pytest

from hythe.observe import tail as tail_module
from hythe.observe.tail import FileTail


class Writer:
    """Writes a log the way the engine does: PATH, rotated to PATH.1 and on."""

    def __init__(self, path: Path, keep: int = 3) -> None:
        self.path = path
        self.keep = keep

    def write(self, *lines: str) -> None:
        with self.path.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def rotate(self) -> None:
        for number in range(self.keep - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            newer = (
                self.path.with_name(f"{self.path.name}.{number - 1}") if number > 1 else self.path
            )
            if newer.exists():
                newer.replace(older)
        self.path.touch()


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "app-json.log")


def drain(tail: FileTail) -> list[str]:
    lines: list[str] = []
    while more := tail.read():
        lines += [line.decode() for line in more]
    return lines


def test_reads_what_was_there_and_what_comes(writer: Writer) -> None:
    writer.write("one", "two")
    tail = FileTail(writer.path)
    assert drain(tail) == ["one", "two"]
    writer.write("three")
    assert drain(tail) == ["three"]
    assert drain(tail) == []


def test_waits_for_a_file_that_is_not_there_yet(writer: Writer) -> None:
    tail = FileTail(writer.path)
    assert drain(tail) == []
    writer.write("one")
    assert drain(tail) == ["one"]


def test_a_line_is_read_once_it_is_complete(writer: Writer) -> None:
    tail = FileTail(writer.path)
    with writer.path.open("a") as file:
        file.write("begin")
        file.flush()
        assert drain(tail) == []
        file.write("ning\nnext")
        file.flush()
        assert drain(tail) == ["beginning"]


def test_goes_on_through_rotation(writer: Writer) -> None:
    tail = FileTail(writer.path)
    expected = []
    for number in range(20):
        writer.write(f"a{number}", f"b{number}")
        expected += [f"a{number}", f"b{number}"]
        if number % 3 == 0:
            assert drain(tail) == expected
            expected = []
        if number % 2:
            writer.rotate()
    assert drain(tail) == expected
    assert not tail.loss


def test_reads_several_rotated_files_from_the_oldest_on(writer: Writer) -> None:
    for name in ("oldest", "middle"):
        writer.write(name)
        writer.rotate()
    writer.write("newest")
    assert drain(FileTail(writer.path)) == ["oldest", "middle", "newest"]


def test_what_was_written_before_the_file_was_deleted_is_still_read(writer: Writer) -> None:
    writer.write("one")
    tail = FileTail(writer.path)
    drain(tail)
    writer.write("two")
    writer.path.unlink()
    assert drain(tail) == ["two"]


def test_late_lines_of_a_writer_that_missed_the_rotation_are_read(writer: Writer) -> None:
    writer.write("one")
    tail = FileTail(writer.path)
    with writer.path.open("a") as late:
        drain(tail)
        writer.rotate()
        writer.write("new")
        assert drain(tail) == ["new"]
        late.write("late\n")
        late.flush()
        assert drain(tail) == ["late"]


def test_files_that_went_unseen_are_counted_as_a_gap(writer: Writer) -> None:
    writer.write("one")
    tail = FileTail(writer.path)
    drain(tail)
    for number in range(5):
        writer.rotate()
        writer.write(f"later {number}")
    assert drain(tail) == ["later 2", "later 3", "later 4"]
    assert (tail.loss.lines, tail.loss.gaps) == (0, 1)


@pytest.mark.parametrize("size", ["shorter", "longer"])
def test_truncation_is_a_gap_and_reading_begins_again(writer: Writer, size: str) -> None:
    writer.write("first line", "second line")
    tail = FileTail(writer.path)
    drain(tail)
    writer.path.write_text("new\n" if size == "shorter" else "a new and longer line\n" * 2)
    expected = ["new"] if size == "shorter" else ["a new and longer line"] * 2
    assert drain(tail) == expected
    assert tail.loss.gaps == 1


def test_a_torn_last_line_does_not_hold_up_the_next_file(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "LATE_SECONDS", 0.0)
    tail = FileTail(writer.path)
    writer.write("one")
    with writer.path.open("a") as file:
        file.write("torn")
    writer.rotate()
    writer.write("two")
    assert drain(tail) == ["one", "two"]
    tail.read()
    assert tail.loss.lines == 1


def test_a_reader_that_cannot_keep_up_counts_each_line_it_gives_up(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "MAX_HELD", 2)
    tail = FileTail(writer.path)
    writer.write("seen")
    assert tail.read() == [b"seen"]
    for number in range(6):
        writer.write(*[f"{number}.{line}" for line in range(10)])
        writer.rotate()
        tail.read(limit=8)
    read = drain(tail)
    assert read[-1] == "5.9"
    assert tail.loss.lines > 0
    assert tail.loss.gaps == 0


def test_a_line_longer_than_any_is_given_up(writer: Writer) -> None:
    writer.write("x" * 300, "after")
    tail = FileTail(writer.path)
    lines: list[bytes] = []
    for _ in range(10):
        lines += tail.read(limit=100)
    assert lines[-1] == b"after"
    assert tail.loss.lines > 0


@pytest.mark.parametrize("rotations", [0, 1, 2])
def test_a_new_tail_goes_on_where_the_old_one_stood(writer: Writer, rotations: int) -> None:
    writer.write("one", "two")
    first = FileTail(writer.path)
    assert drain(first) == ["one", "two"]
    first.close()
    expected = []
    for number in range(rotations):
        writer.write(f"end {number}")
        writer.rotate()
        expected.append(f"end {number}")
    writer.write("three")
    second = FileTail(writer.path, first.position)
    assert drain(second) == [*expected, "three"]
    assert not second.loss


def test_a_position_at_the_end_of_a_rotated_file_is_found_again(writer: Writer) -> None:
    writer.write("one")
    first = FileTail(writer.path)
    drain(first)
    writer.rotate()
    assert drain(first) == []
    second = FileTail(writer.path, first.position)
    assert drain(second) == []
    writer.write("two")
    assert drain(second) == ["two"]


def test_a_new_tail_finds_its_place_in_the_middle_of_a_rotation(writer: Writer) -> None:
    writer.write("one")
    first = FileTail(writer.path)
    drain(first)
    writer.write("two")
    writer.path.replace(writer.path.with_name(f"{writer.path.name}.1"))
    second = FileTail(writer.path, first.position)
    assert drain(second) == ["two"]
    writer.write("three")
    assert drain(second) == ["three"]
    assert not second.loss


def test_a_first_look_that_finds_all_files_full_may_have_come_too_late(writer: Writer) -> None:
    for number in range(5):
        writer.write(str(number))
        writer.rotate()
    tail = FileTail(writer.path)
    assert drain(tail) == ["3", "4"]
    assert tail.loss.gaps == 1


def test_a_position_that_was_rotated_away_is_a_gap(writer: Writer) -> None:
    writer.write("one")
    first = FileTail(writer.path)
    drain(first)
    for number in range(3):
        writer.rotate()
        writer.write(f"later {number}")
    second = FileTail(writer.path, first.position)
    assert drain(second) == ["later 0", "later 1", "later 2"]
    assert second.loss.gaps == 1
